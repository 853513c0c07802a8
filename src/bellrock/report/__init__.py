"""Records, for people: terminal table, CSV, markdown, HTML with pictures, comparisons.

Flows in: `bellrock.bench.record.Record`s. Flows out: text. Nothing here measures or loads torch.
"""
