"""Known vulnerabilities among what an environment holds: python .ci/audit.py PIP_AUDIT SITE_PACKAGES.

Fails on findings. Where the database cannot be reached there is nothing to find; that is said, and is no failure.
"""

import json
import subprocess
import sys
from pathlib import Path

#: Not published, so no database knows it.
OWN = {"labelnoise"}


def main(tool: str, site_packages: str) -> int:
    command = [
        tool,
        "--path",
        site_packages,
        "--format",
        "json",
        "--progress-spinner",
        "off",
        "--timeout",
        "10",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        if "Connection" in done.stderr or "Timeout" in done.stderr or "resolve" in done.stderr:
            print(
                f"pip-audit: the vulnerability database cannot be reached, nothing was audited ({last[:200]})"
            )
            return 0
        print(f"pip-audit failed: {last}")
        return 1
    unknown = [item["name"] for item in found if "skip_reason" in item and item["name"] not in OWN]
    bad = [item for item in found if item.get("vulns")]
    for item in bad:
        for flaw in item["vulns"]:
            fixed = ", ".join(flaw["fix_versions"]) or "no release"
            print(f"{item['name']} {item['version']}: {flaw['id']}, fixed in {fixed}")
    audited = len(found) - len([item for item in found if "skip_reason" in item])
    if bad:
        return 1
    if not audited:
        print("pip-audit: the vulnerability database knows no package here, nothing was audited")
    else:
        print(
            f"pip-audit: {audited} packages without known vulnerabilities, {len(unknown)} not audited: {unknown}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(str, map(Path, sys.argv[1:]))))
