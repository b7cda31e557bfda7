"""Writes tsne.json: affinities and the divergence of a small table, by openTSNE 1.0.4 (numpy 2.4.6).

    python make_tsne.py
"""
import json, os
import numpy as np
from openTSNE import TSNE
from openTSNE.affinity import PerplexityBasedNN

PERPLEXITY = 12
rng = np.random.default_rng(7)
centers = rng.normal(0, 3, (4, 5))
table = np.round(centers[np.arange(70) % 4] + rng.normal(0, 1, (70, 5)), 3)
table[60] = table[4]  # equal rows have to work

P = PerplexityBasedNN(table, perplexity=PERPLEXITY, method="exact").P.tocsr()
P.sort_indices()
# theta = 0 visits every pair: the exact gradient.
exact = TSNE(perplexity=PERPLEXITY, negative_gradient_method="bh", theta=0.0, neighbors="exact", random_state=0).fit(table)
rows = [[[int(j), float(f"{p:.9g}")] for j, p in zip(P[i].indices, P[i].data)] for i in range(len(table))]
out = {"perplexity": PERPLEXITY, "table": table.tolist(), "affinities": rows, "kl_divergence": float(exact.kl_divergence)}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "tsne.json"), "w") as file:
    json.dump(out, file, separators=(",", ":"))
print("kl", exact.kl_divergence)
