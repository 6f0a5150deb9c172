"""The whole loop on a recorded trading day, through the commands people use.

This is the story of the product, told on NIFTY and BANKNIFTY chains of 29 August 2025: recorded
snapshots go in; a session decides on them; the log verifies; replay decides the same three times;
the audit store equals the log; one flipped byte is found.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from journal.log.reader import read_session

ROOT = Path(__file__).resolve().parents[1]
DAY = "2025-08-29"

pytestmark = pytest.mark.slow


def manage(var_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "VAR_DIR": str(var_dir)},
        capture_output=True,
        text=True,
        check=False,
    )


def manage_well(var_dir: Path, *arguments: str) -> str:
    result = manage(var_dir, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_recorded_day_from_import_to_proof(sample_data: Path, tmp_path: Path) -> None:
    # 1. The recorded snapshots go into the store; the same files again change nothing.
    folder = str(sample_data / "nse_chain_2025-08-29")
    manage_well(tmp_path, "market", "import", folder)
    generation = json.loads(manage_well(tmp_path, "market", "status", "--json"))["generation"]
    manage_well(tmp_path, "market", "import", folder)
    status = json.loads(manage_well(tmp_path, "market", "status", "--json"))
    assert status["generation"] == generation == 1

    # 2. A session decides on them. Name and number are this test's own: the audit store is shared.
    name = "real-day"
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "numbers.json").write_text(json.dumps({name: 700_000}))
    dates = ("--from", DAY, "--to", DAY)
    manage_well(tmp_path, "trade", "--session", name, "--config", "trial.toml", *dates)

    # 3. It saw what the day holds: about forty NIFTY snapshots beyond 1.5, some after 11:45.
    directory = tmp_path / "sessions" / name
    events = [line.to_event() for line in read_session(directory)]
    beyond = Counter(
        event.data["underlying"]
        for event in events
        if event.kind == "signal.emitted"
        for condition in event.data["conditions"]
        if condition["name"] == "abs_z_score" and condition["met"]
    )
    assert 35 <= beyond["NIFTY"] <= 45
    clock = [e for e in events if e.kind == "market.frame" and "CLOCK" in e.data["flags"]]
    assert [event.data["underlying"] for event in clock] == ["BANKNIFTY"]

    # 4. There are signals, refusals with their gate, and trades that ended flat.
    decisions = [event.data for event in events if event.kind == "gate.decided"]
    refused = [data["decided_by"] for data in decisions if data["verdict"] == "block"]
    assert set(refused) == {1, 2}
    breakers = [event.data for event in events if event.kind == "breaker.changed"]
    assert [(data["what"], data["state"]) for data in breakers[:2]] == [
        ("clock skew", "open"),  # that frame's stamp is most of a minute ahead of its receipt
        ("clock skew", "half open"),
    ]
    archived = [
        event.data
        for event in events
        if event.kind == "position.changed" and event.data["state"] == "ARCHIVE"
    ]
    assert len(archived) >= 3
    assert {data["costs"] for data in archived} == {"ZERODHA"}
    assert all(data["net_paise"] < data["gross_paise"] for data in archived)

    # 5. The log verifies, and replay decides the same three times.
    manage_well(tmp_path, "log", "verify", name)
    replayed = json.loads(manage_well(tmp_path, "replay", name, "--times", "3", "--json"))
    digests = {way["digest"] for way in replayed["ways"]}
    assert len(replayed["ways"]) == 3
    assert digests == {replayed["digest"]}
    assert replayed["derived"] > 1000

    # 6. The mirror takes every line once, and the store equals the log.
    manage_well(tmp_path, "mirror", name)
    manage_well(tmp_path, "mirror", name)
    manage_well(tmp_path, "mirror", name, "--check")

    # 7. One flipped bit, anywhere: verification names the file, the line and the hash expected.
    file = directory / f"{DAY}.jsonl"
    whole = bytearray(file.read_bytes())
    for position in (9, len(whole) // 3, len(whole) - 2):
        whole[position] ^= 1
        file.write_bytes(whole)
        result = manage(tmp_path, "log", "verify", name)
        whole[position] ^= 1
        assert result.returncode != 0
        assert str(file) in result.stderr
        assert "expected" in result.stderr
        assert "line" in result.stderr
