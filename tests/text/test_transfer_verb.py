def test_ways_of_transfer_are_listed_with_all_other_methods(capsys: pytest.CaptureFixture[str]) -> None:
    import json

    from labelnoise.core.commands import methods

    methods("text", as_json=True)
    rows = {(row["what"], row["name"]): row for row in json.loads(capsys.readouterr().out)["methods"]}
    assert {("transfer", "two-views"), ("trainer", "bond"), ("detector", "calibrated")} <= set(rows)
    assert [name for (what, name), row in rows.items() if what == "trainer" and row["default"]] == [
        "self-training"
    ]
