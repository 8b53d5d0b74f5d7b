"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { header, classes, issues } = data;
  const at = (id) => document.getElementById(id);
  const key = `labelnoise-review:${header.data_hash}:${header.method}`;
  const measure = issues.some((issue) => issue.p_wrong !== undefined) ? "p_wrong" : "doubt";
  const doubt = (issue) => (measure === "p_wrong" ? issue.p_wrong ?? 0 : 1 - issue.quality);
  const WORDS = { accept: "accepted", reject: "kept", other: "other", skip: "skipped" };
  const LISTED = 400;
  const grouped = issues.some((issue) => issue.size > 1);
  const units = `${header.unit_name}s`;
  let verdicts = new Map(); // index -> {verdict, label, note, region}
  let history = []; // what `u` takes back: [index, what was there before]
  let shown = [];
  let current = 0;

  // Everything from the data is put on the page as text.
  const element = (tag, text, className) => {
    const made = document.createElement(tag);
    if (text !== undefined && text !== null) made.textContent = String(text);
    if (className) made.className = className;
    return made;
  };
  const number = (value) => (typeof value === "number" && !Number.isInteger(value) ? value.toFixed(3) : value);

  const store = () => {
    try {
      localStorage.setItem(key, JSON.stringify([...verdicts]));
      return true;
    } catch {
      return false; // private windows keep nothing: the export still works
    }
  };
  const known = new Map(issues.map((issue) => [issue.index, issue]));
  // A verdict on other units than an entry has now says nothing about the entry.
  const same = (issue, region) => JSON.stringify(region ?? []) === JSON.stringify(issue.region ?? []);
  const take = (entries) => {
    let left = 0;
    for (const [index, entry] of entries) {
      const issue = known.get(index);
      if (issue && same(issue, entry.region) && WORDS[entry.verdict] && classes.includes(entry.label)) {
        verdicts.set(index, entry);
      } else left += 1;
    }
    return left;
  };
  try {
    take(JSON.parse(localStorage.getItem(key) || "[]"));
  } catch {
    verdicts = new Map();
  }

  const state = (issue) => verdicts.get(issue.index)?.verdict ?? "open";
  const filtered = () => {
    const status = at("status").value;
    const kind = at("kind").value;
    const label = at("label").value;
    const least = Number(at("least").value) || 0;
    const words = at("find").value.trim().toLowerCase();
    return issues.filter(
      (issue) =>
        (status === "all" || state(issue) === status) &&
        (!kind || issue.kind === kind) &&
        (!label || issue.given === label || issue.suggested === label) &&
        doubt(issue) >= least &&
        (!words || JSON.stringify([issue.unit, issue.card.title, issue.card.facts, issue.evidence]).toLowerCase().includes(words)),
    );
  };

  const decide = (verdict, label) => {
    const issue = shown[current];
    if (!issue) return;
    history.push([issue.index, verdicts.get(issue.index)]);
    const note = verdicts.get(issue.index)?.note ?? "";
    verdicts.set(issue.index, { verdict, label: label ?? issue.given, note, region: issue.region });
    const kept = store();
    const position = current;
    shown = filtered();
    // A card that is no longer listed makes room for the next one in its place.
    current = Math.min(shown.includes(issue) ? position + 1 : position, Math.max(shown.length - 1, 0));
    draw(kept ? "" : " The browser keeps nothing here: export before you close the page.");
  };
  const accept = (issue) => {
    if (issue && issue.suggested && issue.suggested !== issue.given) decide("accept", issue.suggested);
  };
  const takeBack = () => {
    const last = history.pop();
    if (!last) return;
    const [index, before] = last;
    if (before) verdicts.set(index, before);
    else verdicts.delete(index);
    store();
    shown = filtered();
    current = Math.max(shown.findIndex((issue) => issue.index === index), 0);
    draw();
  };
  const move = (by) => {
    current = Math.min(Math.max(current + by, 0), Math.max(shown.length - 1, 0));
    draw();
  };

  const decisions = () => ({
    format: "labelnoise-decisions",
    version: data.decisions_version,
    domain: header.domain,
    dataset: header.dataset,
    data_hash: header.data_hash,
    method: header.method,
    source: header.source,
    made_by: data.made_by,
    decisions: issues
      .filter((issue) => verdicts.has(issue.index))
      .map((issue) => {
        const { verdict, label, note } = verdicts.get(issue.index);
        const made = { index: issue.index, unit: issue.unit, given: issue.given, verdict, label, note: note ?? "" };
        return issue.region ? { ...made, region: issue.region } : made;
      }),
  });
  const exportAll = () => {
    const blob = new Blob([JSON.stringify(decisions(), null, 1)], { type: "application/json" });
    const link = element("a");
    link.href = URL.createObjectURL(blob);
    link.download = "decisions.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    draw(` ${verdicts.size} decisions written to decisions.json.`);
  };
  const importFile = async (file) => {
    try {
      const found = JSON.parse(await file.text());
      if (found.format !== "labelnoise-decisions") throw new Error("it holds no decisions");
      if (found.data_hash !== header.data_hash) throw new Error("it is about other data");
      const left = take(
        found.decisions.map(({ index, verdict, label, note, region }) => [index, { verdict, label, note, region }]),
      );
      store();
      refresh(left ? ` ${left} decisions of that file are about units that are no entry here.` : "");
    } catch (error) {
      draw(` That file cannot be used: ${error.message}.`);
    }
  };

  const SVG = "http://www.w3.org/2000/svg";
  const shape = (name, attributes, ...inside) => {
    const made = document.createElementNS(SVG, name);
    for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
    made.append(...inside);
    return made;
  };
  // A part of a picture that other cards may show, too, with a drawing over it.
  const viewOf = (medium) => {
    const { width, height, part, over, frame } = medium.view;
    const [left, top, wide, high] = part;
    const whole = { width: width / wide, height: height / high };
    const place = { x: -left * whole.width, y: -top * whole.height, ...whole, preserveAspectRatio: "none" };
    const photo = shape("image", { href: data.sources[medium.src], ...place });
    const made = shape("svg", { class: "view", role: "img", width, height, viewBox: `0 0 ${width} ${height}` }, photo);
    made.setAttribute("aria-label", medium.text);
    if (over) made.append(shape("image", { href: over, width, height, preserveAspectRatio: "none" }));
    if (frame) {
      const [x, y, w, h] = frame;
      made.append(shape("rect", { x: x * width, y: y * height, width: w * width, height: h * height }));
    }
    return made;
  };

  const drawCard = (issue) => {
    const card = at("card");
    card.replaceChildren();
    if (!issue) {
      card.append(element("h2", issues.length ? "Nothing left here." : "No issues."));
      card.append(element("p", "Change the filters above, or export the decisions."));
      return;
    }
    card.append(element("h2", issue.card.title));
    const labels = element("div", null, "labels");
    for (const [name, value] of [
      ["given", issue.given],
      ["suggested", issue.suggested || "no opinion"],
      [measure === "p_wrong" ? "P(wrong)" : "doubt", number(doubt(issue))],
      ["kind", issue.kind],
      ...(grouped ? [[units, issue.size.toLocaleString("en")]] : []),
    ]) {
      const pair = element("div");
      pair.append(element("span", name), element("strong", value));
      labels.append(pair);
    }
    card.append(labels);
    for (const medium of issue.card.media) {
      if (medium.view) {
        card.append(viewOf(medium));
        continue;
      }
      const shownMedium = element(medium.kind === "audio" ? "audio" : "img");
      if (medium.kind === "audio") {
        shownMedium.controls = true;
        shownMedium.setAttribute("aria-label", medium.text);
      } else shownMedium.alt = medium.text;
      shownMedium.src = data.sources[medium.src];
      card.append(shownMedium);
    }
    const verbs = element("div", null, "verbs");
    const button = (text, className, action, enabled = true) => {
      const made = element("button", text, className);
      made.type = "button";
      made.disabled = !enabled;
      made.addEventListener("click", action);
      verbs.append(made);
    };
    const changes = Boolean(issue.suggested) && issue.suggested !== issue.given;
    button(changes ? `Accept: ${issue.suggested} (a)` : "Accept (a)", "accept", () => accept(issue), changes);
    button(`Keep: ${issue.given} (r)`, "reject", () => decide("reject"));
    const other = element("select");
    other.id = "other";
    other.setAttribute("aria-label", "other label (o)");
    other.append(element("option", "Other label (o) …"));
    classes.forEach((name, place) => {
      if (name === issue.given) return;
      const option = element("option", name);
      option.value = String(place);
      other.append(option);
    });
    other.addEventListener("change", () => {
      const name = classes[Number(other.value)];
      if (name !== undefined) decide(name === issue.suggested ? "accept" : "other", name);
    });
    verbs.append(other);
    button("Skip (s)", "skip", () => decide("skip"));
    card.append(verbs);
    const note = element("input");
    note.id = "note";
    note.placeholder = "note (n)";
    note.maxLength = 500;
    note.value = verdicts.get(issue.index)?.note ?? "";
    note.addEventListener("change", () => {
      const entry = verdicts.get(issue.index) ?? { verdict: "skip", label: issue.given, region: issue.region };
      verdicts.set(issue.index, { ...entry, note: note.value });
      store();
      draw();
    });
    card.append(note);
    const facts = element("dl");
    for (const [name, value] of [...issue.card.facts, ...issue.evidence]) {
      if (value === null || value === "") continue;
      facts.append(element("dt", String(name).replaceAll("_", " ")), element("dd", number(value)));
    }
    card.append(facts);
  };
  const draw = (message = "") => {
    const list = at("list");
    list.replaceChildren();
    const start = Math.max(0, Math.min(current - LISTED / 2, shown.length - LISTED));
    shown.slice(start, start + LISTED).forEach((issue, offset) => {
      const place = start + offset;
      const row = element("li", null, state(issue));
      row.append(element("span", WORDS[state(issue)] ?? "", "state"));
      const size = grouped ? ` (${issue.size.toLocaleString("en")})` : "";
      row.append(
        document.createTextNode(`${issue.rank}. ${issue.card.title}: ${issue.given} → ${issue.suggested || "?"}${size}`),
      );
      row.setAttribute("aria-current", String(place === current));
      row.addEventListener("click", () => {
        current = place;
        draw();
      });
      list.append(row);
    });
    list.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
    drawCard(shown[current]);
    at("progress").max = Math.max(issues.length, 1);
    at("progress").value = verdicts.size;
    at("done").textContent = `${verdicts.size} of ${issues.length} decided, ${shown.length} shown.${message}`;
  };
  const refresh = (message) => {
    shown = filtered();
    current = 0;
    draw(typeof message === "string" ? message : "");
  };

  const total = issues.reduce((sum, issue) => sum + issue.size, 0);
  at("title").textContent =
    `${header.dataset}: ${issues.length} label issues` + (grouped ? ` about ${total.toLocaleString("en")} ${units}` : "");
  const count = header.expected
    ? ` Expected wrong: ${header.expected[0].toFixed(0)} [${header.expected[1].toFixed(0)}, ${header.expected[2].toFixed(0)}] of ${header.n_labelled}.`
    : "";
  at("facts").textContent = `Found by ${header.method}, ${header.decision}.${count}`;
  at("warnings").textContent = header.warnings.join(" ");
  at("measure").textContent = measure === "p_wrong" ? "P(wrong)" : "doubt";
  const choices = (id, values) => {
    at(id).append(element("option", "any"));
    at(id).firstChild.value = "";
    for (const value of values) {
      const option = element("option", value);
      option.value = value;
      at(id).append(option);
    }
  };
  choices("kind", [...new Set(issues.map((issue) => issue.kind))].sort());
  choices("label", classes);
  for (const id of ["status", "kind", "label", "least", "find"]) at(id).addEventListener("input", refresh);
  at("export").addEventListener("click", exportAll);
  at("import").addEventListener("change", (event) => event.target.files[0] && importFile(event.target.files[0]));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const actions = {
      a: () => accept(shown[current]),
      r: () => decide("reject"),
      s: () => decide("skip"),
      o: () => at("other")?.focus(),
      n: () => at("note")?.focus(),
      u: takeBack,
      j: () => move(1),
      k: () => move(-1),
      ArrowDown: () => move(1),
      ArrowUp: () => move(-1),
      e: exportAll,
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  });
  refresh();
})();
