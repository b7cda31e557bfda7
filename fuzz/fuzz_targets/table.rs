//! Any bytes: a table or an error. Seed it with tests/reference/tables and datasets.

#![no_main]

use libfuzzer_sys::fuzz_target;
use polariscope::table::{Table, describe};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(table) = Table::from_bytes("fuzz", bytes) {
        assert!(table.frame.height() > 0 && table.frame.width() > 0);
        assert_eq!(describe(&table.frame).len(), table.frame.width());
    }
});
