"""Tables: reading CSV, describe, Pearson, Spearman, standardize, beside polars, pandas, numpy, scipy and scikit-learn.

usage: python benches/peers/table.py [ROWS] [FOLDER]     (default 1000000 and the system's temporary folder)
"""
import os, sys, tempfile

import harness
import numpy as np
import pandas as pd
import polars as pl
from scipy.stats import spearmanr
from sklearn.preprocessing import StandardScaler

rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
folder = sys.argv[2] if len(sys.argv) > 2 else tempfile.gettempdir()
path = os.path.join(folder, f"polariscope_table_{rows}.csv")
if not os.path.exists(path):
    rng = np.random.default_rng(20)
    mixing = rng.normal(size=(20, 20)) * np.geomspace(1, 1000, 20)
    matrix = np.exp(0.3 * rng.normal(size=(rows, 20))) @ mixing
    pl.DataFrame({"label": np.arange(1, rows + 1)} | {f"feature_{i}": matrix[:, i] for i in range(20)}).write_csv(path)
polars_frame = pl.read_csv(path)
pandas_frame = polars_frame.drop("label").to_pandas()
matrix = np.ascontiguousarray(pandas_frame.to_numpy())

harness.compare(f"CSV {rows} x 21", {"polars": (lambda: pl.read_csv(path), None), "pandas": (lambda: pd.read_csv(path), None)}, ["table-csv", path], repeats=1)
harness.compare("describe", {"polars": (lambda: polars_frame.describe(), None), "pandas": (lambda: pandas_frame.describe(), None)}, ["table-describe", path])
harness.compare("Pearson", {"numpy": (lambda: np.corrcoef(matrix, rowvar=False), lambda r: {"r01": r[0, 1]})}, ["table-pearson", path])
harness.compare("Spearman", {"scipy": (lambda: spearmanr(matrix).statistic, lambda r: {"r01": r[0, 1]})}, ["table-spearman", path], repeats=1)
harness.compare("standardize", {"scikit-learn": (lambda: StandardScaler().fit_transform(matrix), lambda z: {"first": z[0, 0]})}, ["table-standardize", path])
