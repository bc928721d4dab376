"""Write docs/model.md from the figures that the shipped model carries: python docs/model.py (or `make docs`)."""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).parent
MODEL = HERE.parent / "tracker" / "defaults" / "model" / "model.json"

HEAD = """# The topic model

One model for papers and news: TF-IDF of words and word pairs (title three times) and of character n-grams, one balanced logistic regression a
topic, calibrated. It ships as numbers (`weights.npz`, no pickle) and words (`model.json`), is loaded only if its hash matches, and needs no
scikit-learn to score. Name: `{name}`. Trained on {papers:,} papers and {news:,} posts and news items of {first} to {last}, each read whole
and labelled after the definitions in `tracker/defaults/topics.toml` by language models that follow a written guideline; scikit-learn {sklearn}.

## How good it is

Measured by cross-validation (folds: {folds}): vectorisers, weights, calibration and thresholds are fitted without the months they are judged on.
*Average precision* is independent of thresholds; precision (P) and recall (R) are those of the two tiers that you see.

{tables}

## Read these figures with care

* The labelled pool is richer in hits than a day of arXiv: precision on the real stream is lower, most of all under *maybe*.
* Settings of the recipe (regularisation, the margin of the confident tier, which rules to keep) were chosen on these same folds, which flatters.
* *confident* promises a precision of .9 on papers. It keeps that for {kept}; the other topics fall short of it or have no confident tier (–).
* Few labels make weak topics: {weak} have fewer than 100 positive papers.

## Reproduce it

```sh
make model LABELS=train.csv TEXTS=corpus/ NEWS=news_train.csv
```

The same inputs give the same bytes. Label files have the columns `id,labels` (papers; texts from `papers-*.jsonl.gz`) and
`topics,title,summary` (news).
"""


def page() -> str:
    """Return docs/model.md."""
    facts = json.loads(MODEL.read_text(encoding="utf-8"))
    scores, trained = facts["scores"], facts["trained"]
    good = [topic for topic, row in scores.items() if _confident(row["papers"]) >= 0.9]
    weak = [topic for topic, row in scores.items() if row["papers"]["positives"] < 100]
    return HEAD.format(
        name=facts["name"], papers=trained["papers"], news=trained["news"], first=trained["from"], last=trained["to"],
        sklearn=trained["scikit-learn"], folds=trained["folds"], tables="\n".join(_table(kind, scores) for kind in ("papers", "news")),
        kept=", ".join(good), weak=", ".join(weak),
    )  # fmt: skip


def _confident(row: dict[str, float]) -> float:
    return row.get("confident_precision") or 0.0


def _table(kind: str, scores: dict[str, dict[str, dict[str, float]]]) -> str:
    lines = [
        f"### {kind.capitalize()}\n",
        "| topic | positives | average precision | maybe P / R | confident P / R |",
        "|---|---|---|---|---|",
    ]
    for topic, rows in scores.items():
        row = rows[kind]
        sure = f"{row['confident_precision']:.2f} / {row['confident_recall']:.2f}" if row.get("confident_tagged") else "–"
        maybe = f"{row['maybe_precision']:.2f} / {row['maybe_recall']:.2f}"
        lines.append(f"| {topic} | {row['positives']} | {row['average_precision']:.3f} | {maybe} | {sure} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (HERE / "model.md").write_text(page(), encoding="utf-8")
