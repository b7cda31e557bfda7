//! Any text: what is read and written reads back as the same table.

#![no_main]

use libfuzzer_sys::fuzz_target;
use polariscope::table::{Table, write_csv};

fuzz_target!(|text: &str| {
    let Ok(table) = Table::from_bytes("fuzz.csv", text.as_bytes()) else { return };
    let mut written = Vec::new();
    write_csv(&table.frame, &mut written).expect("memory takes all");
    if let Ok(again) = Table::from_bytes("fuzz.csv", &written) {
        assert_eq!(again.frame.height(), table.frame.height());
    }
});
