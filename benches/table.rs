//! Tables beside polars, pandas, numpy and scikit-learn: reading, summary, correlation, scaling, writing.

use serde_json::{Value, json};

use polariscope::table::{Columns, Features, Scale, Table, describe, pearson, spearman, write_csv};

use crate::peer::timed;

/// `STAGE TABLE`, with stage one of `table-csv`, `table-parquet`, `table-describe`, `table-pearson`,
/// `table-spearman`, `table-standardize`, `table-write`.
pub fn run(stage: &str, arguments: &[String]) -> Option<Value> {
    let path = arguments.first()?;
    let open = || Table::open(path).expect("the table is there");
    let features = || {
        let wanted = Columns::measurements().features(["*"]).exclude(["label"]);
        Features::from_frame(&open().frame, wanted).expect("the table has numbers")
    };
    let (cpu, wall, quality) = match stage {
        "table-csv" | "table-parquet" => {
            let (cpu, wall, table) = timed(open);
            (cpu, wall, json!({"rows": table.frame.height(), "columns": table.frame.width()}))
        }
        "table-describe" => {
            let table = open();
            let (cpu, wall, summary) = timed(|| describe(&table.frame));
            (cpu, wall, json!({"median": summary[0].median, "distinct": summary[0].distinct}))
        }
        "table-pearson" | "table-spearman" => {
            let features = features();
            let correlate = if stage == "table-pearson" { pearson } else { spearman };
            let (cpu, wall, r) = timed(|| correlate(features.matrix()));
            (cpu, wall, json!({"r01": r[[0, 1]]}))
        }
        "table-standardize" => {
            let features = features();
            let (cpu, wall, scaled) = timed(|| features.scaled(Scale::Zscore).expect("finite"));
            (cpu, wall, json!({"first": scaled.matrix()[[0, 0]]}))
        }
        "table-write" => {
            let table = open();
            let (cpu, wall, ()) =
                timed(|| write_csv(&table.frame, &mut std::io::sink()).expect("a sink takes all"));
            (cpu, wall, json!({}))
        }
        _ => return None,
    };
    let mut line = json!({"cpu": cpu, "wall": wall});
    line.as_object_mut()?.extend(quality.as_object()?.clone());
    Some(line)
}
