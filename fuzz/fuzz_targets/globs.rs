//! Any glob on any column names: a choice or an error, never a hang.

#![no_main]

use libfuzzer_sys::fuzz_target;
use polariscope::table::{Columns, Table};

fuzz_target!(|input: (&str, &str)| {
    let (glob, header) = input;
    if let Ok(table) = Table::from_bytes("fuzz.csv", format!("{header}\n1\n2\n").as_bytes()) {
        let _ = Columns::chosen(&table.frame, Columns::measurements().features([glob]));
    }
});
