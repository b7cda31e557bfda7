//! A first look at a table: what is in each column, and which columns say the same.

use polariscope::prelude::*;
use polariscope::table::{Correlation, correlate, describe, families};

fn main() -> polariscope::Result<()> {
    let table = Table::open("datasets/cells.csv")?;

    for column in describe(&table.frame).iter().filter(|c| c.role == "feature") {
        let (mean, std) = (column.mean.unwrap_or(f64::NAN), column.std.unwrap_or(f64::NAN));
        println!("{:21} {mean:8.2} ± {std:6.2}  missing: {}", column.name, column.missing);
    }

    let columns = Columns::of(&table.frame);
    let names = columns.features();
    let r = correlate(&table.frame, &names, Correlation::Spearman)?;
    for family in families(&r, 0.85).iter().filter(|family| family.len() > 1) {
        let members: Vec<&str> = family.iter().map(|&member| names[member]).collect();
        println!("move together: {}", members.join(", "));
    }
    Ok(())
}
