//! Every odd table is read right, or refused with the line and the remedy; damaged ones never panic.

use std::io::Write;
use std::path::{Path, PathBuf};

use polars::prelude::{IpcCompression, IpcWriter, ParquetCompression, ParquetWriter, SerWriter};

use polariscope::Error;
use polariscope::output::Existing;
use polariscope::seed::{Seed, Stream};
use polariscope::table::{Table, write, write_csv};

/// Reads `text` and compares the table, written back as CSV.
fn check(text: impl AsRef<[u8]>, expected: &str) -> Vec<String> {
    let text = text.as_ref();
    let shown = String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned();
    let table = Table::from_bytes("t.csv", text).unwrap_or_else(|e| panic!("{shown:?}: {e}"));
    assert_eq!(csv(&table), expected, "{shown:?} {:?}", table.warnings);
    table.warnings
}

fn csv(table: &Table) -> String {
    let mut written = Vec::new();
    write_csv(&table.frame, &mut written).unwrap();
    String::from_utf8(written).unwrap()
}

/// Expects a refusal whose sentence contains `words`, with the line and a remedy.
fn refused(text: impl AsRef<[u8]>, line: Option<usize>, words: &str) -> Error {
    let text = text.as_ref();
    let shown = String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned();
    let error = Table::from_bytes("t.csv", text).expect_err(&shown);
    assert!(error.to_string().contains(words), "{shown:?}: {error}");
    assert_eq!(error.row(), line, "{shown:?}: {error}");
    assert!(error.remedy().is_some(), "{shown:?}: {error}");
    assert_eq!(error.file(), Some(Path::new("t.csv")));
    error
}

/// Exactly one warning, which contains `words`.
fn warned(warnings: &[String], words: &str) {
    assert!(warnings.len() == 1 && warnings[0].contains(words), "{warnings:?} lacks {words:?}");
}

const PLAIN: &str = "label,area,name\n1,10.5,a\n2,11.0,b\n";

#[test]
fn every_delimiter_and_padding() {
    for text in [
        PLAIN.to_owned(),
        PLAIN.replace(',', ";"),
        PLAIN.replace(',', "\t"),
        PLAIN.replace(',', "|"),
        PLAIN.replace(',', ", "),
        PLAIN.replace(',', " ; "),
        PLAIN.replace('\n', "\r\n"),
        PLAIN.replace('\n', "\r"),
        PLAIN.replace('\n', "\n\n"),
        format!("\n\n{PLAIN}"),
        format!("sep=,\n{PLAIN}"),
        format!("sep=;\r\n{}", PLAIN.replace(',', ";").replace('\n', "\r\n")),
        format!("# written by a program\n# on a day\n{PLAIN}"),
        format!("#{PLAIN}"),
        PLAIN.trim_end().to_owned(),
        "  label   area name\n      1   10.5    a\n      2   11.0    b\n".to_owned(),
        "\"label\",\"area\",\"name\"\n\"1\",\"10.5\",\"a\"\n\"2\",\"11.0\",\"b\"\n".to_owned(),
        "label, \"area\", name\n1, \"10.5\", \"a\"\n2, 11.0, b\n".to_owned(),
        "label,area,name\n1,10.5,a,\n2,11.0,b,\n".to_owned(),
    ] {
        assert!(check(&text, PLAIN).is_empty(), "{text:?}");
    }
    check("area\n1.5\n2.5\n", "area\n1.5\n2.5\n");
    check("my column\n1.5\n2.5\n", "my column\n1.5\n2.5\n");
    // Row names, as R writes them, and a table of one row.
    check("area,extent\na,1,2\nb,3,4\n", "row,area,extent\na,1,2\nb,3,4\n");
    check("a,b\n1,2\n", "a,b\n1,2\n");
}

#[test]
fn decimal_commas() {
    let expected = "label,area\n1,10.5\n2,11.25\n";
    check("label;area\n1;10,5\n2;11,25\n", expected);
    check("label\tarea\n1\t10,5\n2\t11,25\n", expected);
    check("label;\"area, µm²\"\n1;10,5\n2;11,25\n", "label,\"area, µm²\"\n1,10.5\n2,11.25\n");
    check("label;area, µm²\n1;10,5\n2;11,25\n", "label,\"area, µm²\"\n1,10.5\n2,11.25\n");
    // The first comma stands far below the part from which the dialect was decided.
    let late = |decimal: &str| {
        format!("a{decimal}b\n{}3{decimal}1,5\n", format!("1{decimal}2\n").repeat(200))
    };
    let text = late(";");
    let table = Table::from_bytes("t.csv", text.as_bytes()).unwrap();
    assert_eq!(table.frame.column("b").unwrap().f64().unwrap().get(200), Some(1.5));
}

#[test]
fn every_encoding() {
    let text = "label,fläche µm²\n1,10.5\n2,11.0\n";
    let expected = text;
    let utf16 = |mark: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        format!("{mark}{text}").encode_utf16().flat_map(bytes).collect()
    };
    assert!(check(text, expected).is_empty());
    assert!(check(format!("\u{feff}{text}"), expected).is_empty());
    assert!(check(utf16("\u{feff}", u16::to_le_bytes), expected).is_empty());
    assert!(check(utf16("\u{feff}", u16::to_be_bytes), expected).is_empty());
    assert!(check(utf16("", u16::to_le_bytes), expected).is_empty());
    let latin1: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
    warned(&check(&latin1, expected), "line 1: not UTF-8");
    // Latin-1 that shows itself only after millions of bytes.
    let mut late = "name,area\n".to_owned().into_bytes();
    late.extend(b"abcdefgh,1.5\n".repeat(300_000));
    late.extend(b"fl\xe4che,2.5\n");
    let table = Table::from_bytes("t.csv", &late).unwrap();
    warned(&table.warnings, "line 300002: not UTF-8");
    assert_eq!(table.frame.column("name").unwrap().str().unwrap().get(300_000), Some("fläche"));
    refused("a,b\n1,2\n3,\0\n", Some(3), "NUL");
}

#[test]
fn gzip() {
    let mut packed = flate2_bytes(PLAIN.as_bytes());
    check(&packed, PLAIN);
    packed.truncate(packed.len() - 9);
    let error = Table::from_bytes("t.csv.gz", &packed).unwrap_err();
    assert!(error.to_string().contains("unpacked"), "{error}");
    // 300 MB of zeros in 300 kB.
    let mut bomb = b"a,b\n1,2\n".to_vec();
    bomb.resize(300 << 20, b'\n');
    let error = Table::from_bytes("bomb.csv.gz", &flate2_bytes(&bomb)).unwrap_err();
    assert!(error.to_string().contains("grows"), "{error}");
}

fn flate2_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn missing_and_infinite() {
    let words = ["", "NA", "N/A", "n/a", "nan", "NaN", "-nan", "null", "None", "#N/A", "#DIV/0!"];
    for word in words {
        let text = format!("a,b\n{word},1.5\n2.5,1.5\n");
        assert!(check(text, "a,b\n,1.5\n2.5,1.5\n").is_empty(), "{word}");
    }
    for word in ["inf", "-inf", "Infinity", "-Infinity", "1e999"] {
        let text = format!("a,b\n2.5,1\n{word},1\n3.5,1\n");
        let warnings = check(text, "a,b\n2.5,1\n,1\n3.5,1\n");
        warned(&warnings, &format!("line 3, column `a`: `{word}` is infinite"));
    }
    check("a,b\n,1\n2,1\n", "a,b\n,1\n2,1\n");
    check("a,b\n,1\n,1\n", "a,b\n,1\n,1\n");
    check("a\nNA\n1\n", "a\nNA\n1\n");
}

#[test]
fn types_are_found_wherever_they_show() {
    let rows = 10_000;
    // Empty for the first 10,000 rows.
    let text = format!("a,b\n{}1,2.5\n", "1,\n".repeat(rows));
    let table = Table::from_bytes("t.csv", text.as_bytes()).unwrap();
    assert_eq!(table.frame.column("b").unwrap().f64().unwrap().get(rows), Some(2.5));
    // A fraction after 10,000 integers.
    let text = format!("a,b\n{}1,0.5\n", "1,3\n".repeat(rows));
    let table = Table::from_bytes("t.csv", text.as_bytes()).unwrap();
    let b = table.frame.column("b").unwrap();
    assert_eq!((b.f64().unwrap().get(0), b.f64().unwrap().get(rows)), (Some(3.0), Some(0.5)));
    assert!(table.frame.column("a").unwrap().i64().is_ok());
    // One bad cell, early or late, does not turn a measurement into text.
    let (before, after) = ("1,3.5\n".repeat(rows), "1,4.5\n".repeat(rows));
    let text = format!("a,b\n{before}1,oops\n{after}");
    let table = Table::from_bytes("t.csv", text.as_bytes()).unwrap();
    warned(&table.warnings, "line 10002, column `b`: `oops` is not a number: read as missing");
    assert_eq!(table.frame.column("b").unwrap().null_count(), 1);
    warned(&check("a,b\nx,1\n2,1\n3,1\n", "a,b\n,1\n2,1\n3,1\n"), "line 2, column `a`: `x`");
    // Half numbers: text, but said.
    let warnings = check("a,b\n1,1\n2b,1\n3,1\n4b,1\n", "a,b\n1,1\n2b,1\n3,1\n4b,1\n");
    warned(&warnings, "2 of 4 cells: the column is read as text");
    check("a,b\ntrue,1\nFalse,2\n", "a,b\ntrue,1\nfalse,2\n");
    check("a,b\n9223372036854775807,1\n2,2\n", "a,b\n9223372036854775807,1\n2,2\n");
}

#[test]
fn second_headers_and_units() {
    let expected = "label,area,mean\n1,10.5,3\n2,11.5,4\n3,12.5,5\n";
    let data = "1,10.5,3\n2,11.5,4\n3,12.5,5\n";
    warned(&check(format!("label,area,mean\n,µm²,a.u.\n{data}"), expected), "line 2: units");
    warned(&check(format!("label,area,mean\n(1),(px),(%)\n{data}"), expected), "line 2: units");
    warned(
        &check(format!("label,area,mean\nnumber,of object,intensity of it\n{data}"), expected),
        "line 2: a second header",
    );
    let cellprofiler =
        "Image,Nuclei,Nuclei\nImageNumber,AreaShape_Area,AreaShape_Extent\n1,5,0.5\n1,6,0.6\n";
    check(
        cellprofiler,
        "Image_ImageNumber,Nuclei_AreaShape_Area,Nuclei_AreaShape_Extent\n1,5,0.5\n1,6,0.6\n",
    );
    // Files glued together.
    let glued = "label,area,mean\n1,10.5,3\nlabel,area,mean\n2,11.5,4\n3,12.5,5\n".to_string();
    warned(&check(glued, expected), "line 3: a line that repeats the header");
    // No header at all; pandas' counted columns are one.
    let warnings = check("5,0.5\n6,0.6\n", "column_1,column_2\n5,0.5\n6,0.6\n");
    warned(&warnings, "there is no header");
    assert!(check("0,1\n6,0.6\n7,0.7\n", "0,1\n6,0.6\n7,0.7\n").is_empty());
    check(",area\n0,1.5\n1,2.5\n", "column_1,area\n0,1.5\n1,2.5\n");
}

#[test]
fn ragged_and_hollow_lines() {
    let error =
        refused("a,b,c\n1,2,3\n4,5\n", Some(3), "2 cells between commas, where the header has 3");
    assert_eq!(error.kind().name(), "format");
    refused("a,b,c\n1,2,3\n4,5,6,7\n", Some(3), "4 cells");
    refused("a,b,c\n1,2\n", Some(2), "2 cells");
    let quoted = "a,b\n\"two\nlines\",1\n\n\"x\ny\",2\n3\n";
    refused(quoted, Some(7), "1 cell ");
    refused("a,b\n1,\"open\n2,3\n", Some(2), "never closed");
    warned(&check("a,b\n1,2\n,\n3,4\n", "a,b\n1,2\n3,4\n"), "line 3: a line without any value");
    // Far into the file, past several blocks.
    let text = format!("a,b\n{}1,2,3\n", "100000,200000\n".repeat(400_000));
    refused(text, Some(400_002), "3 cells");
    let text = format!("a,b\n{}1\n", "\"x\n\"\"y\",200000\n".repeat(300_000));
    refused(text, Some(600_002), "1 cell ");
}

#[test]
fn quotes() {
    check("a,b\n\"x,y\",1\n\"say \"\"hi\"\"\",2\n", "a,b\n\"x,y\",1\n\"say \"\"hi\"\"\",2\n");
    check("a,b\n5\" tube,1\n6\" tube,2\n", "a,b\n\"5\"\" tube\",1\n\"6\"\" tube\",2\n");
    check("a,b\n\"two\nlines\",1\nx,2\n", "a,b\n\"two\nlines\",1\nx,2\n");
    check("a,b\n\"two\r\nlines\",1\r\nx,2\r\n", "a,b\n\"two\r\nlines\",1\nx,2\n");
}

#[test]
fn formulas_are_tamed_and_come_back() {
    let text = "name,x\n=1+1,1\n+a,2\n-b,3\n@c,4\nd,-5\n";
    let table = Table::from_bytes("t.csv", text.as_bytes()).unwrap();
    let written = csv(&table);
    assert_eq!(written, "name,x\n'=1+1,1\n'+a,2\n'-b,3\n'@c,4\nd,-5\n");
    let again = Table::from_bytes("t.csv", written.as_bytes()).unwrap();
    assert!(again.frame.equals_missing(&table.frame));
}

#[test]
fn what_is_no_table_says_so() {
    refused("", None, "is empty");
    refused("\n\n", None, "no text");
    refused("a,b\n", Some(1), "no rows");
    refused("a,b\n\n,\n", None, "no rows");
    refused("a,b,a\n1,2,3\n", Some(1), "column `a`: two columns have this name, the 1. and the 3.");
    refused([0x89, b'P', b'N', b'G', 13, 10], None, "PNG");
    refused(*b"PK\x03\x04....", None, "Excel");
    refused("<!DOCTYPE html>\n<html>", None, "web page");
    refused(*b"II*\0....", None, "TIFF");
    refused(*b"PAR1....PAR1", None, "Parquet");
    refused(*b"ARROW1\0\0....", None, "Arrow");
}

#[test]
fn files_that_are_not_there() {
    let folder = scratch("missing");
    std::fs::write(folder.join("measurements.csv"), PLAIN).unwrap();
    let error = Table::open(folder.join("measurement.csv")).unwrap_err();
    assert!(error.remedy().unwrap().contains("measurements.csv"), "{error}");
    assert!(Table::open(&folder).unwrap_err().to_string().contains("folder"));
    let nowhere = folder.join("no").join("table.csv");
    assert!(Table::open(nowhere).unwrap_err().remedy().unwrap().contains("does not exist either"));
}

/// An empty folder of this test's own.
fn scratch(name: &str) -> PathBuf {
    let folder =
        std::env::temp_dir().join(format!("polariscope-readers-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn every_format_gives_the_table_back() {
    let folder = scratch("formats");
    let text = "label,area,name,good\n1,10.5,a,true\n2,,\"b, c\",false\n-3,1e300,,\n";
    let table = Table::from_bytes("t.csv", text.as_bytes()).unwrap();
    for suffix in ["csv", "tsv", "csv.gz", "tsv.gz", "parquet", "arrow", "feather", "ipc"] {
        let path = folder.join(format!("t.{suffix}"));
        write(&table.frame, &path, Existing::Keep).unwrap();
        let again = Table::open(&path).unwrap();
        assert!(again.frame.equals_missing(&table.frame), "{suffix}: {}", again.frame);
        assert!(again.warnings.is_empty(), "{:?}", again.warnings);
        assert!(write(&table.frame, &path, Existing::Keep).is_err());
        let bytes = std::fs::read(&path).unwrap();
        write(&table.frame, &path, Existing::Overwrite).unwrap();
        assert_eq!(bytes, std::fs::read(&path).unwrap(), "{suffix} differs between runs");
    }
    let error = write(&table.frame, folder.join("t.xlsx"), Existing::Keep).unwrap_err();
    assert!(error.remedy().unwrap().contains(".parquet"), "{error}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn floats_come_back_bit_by_bit() {
    let mut stream = Seed::new(5).stream("floats", 0);
    let values: Vec<f64> =
        (0..5000).map(|_| f64::from_bits(stream.bits())).filter(|v| v.is_finite()).collect();
    let text: String = std::iter::once("a,b\n".to_owned())
        .chain(values.iter().map(|v| format!("{v:e},{v:?}\n")))
        .collect();
    let table = Table::from_bytes("t.csv", text.as_bytes()).unwrap();
    let again = Table::from_bytes("t.csv", csv(&table).as_bytes()).unwrap();
    for table in [&table, &again] {
        for name in ["a", "b"] {
            let column = table.frame.column(name).unwrap().f64().unwrap();
            assert!(
                values
                    .iter()
                    .zip(column.iter())
                    .all(|(v, c)| c.map(f64::to_bits) == Some(v.to_bits()))
            );
        }
    }
}

#[test]
fn a_table_does_not_depend_on_threads() {
    let mut stream = Seed::new(6).stream("threads", 0);
    let mut text = String::from("id,value,name\n");
    for i in 0..150_000 {
        text.push_str(&format!("{i},{},\"n\n{}\"\n", stream.normal(), stream.below(50)));
    }
    let read = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| csv(&Table::from_bytes("t.csv", text.as_bytes()).unwrap()))
    };
    let one = read(1);
    assert!(one == read(2) && one == read(7));
}

/// Valid tables of every kind, to be damaged.
fn specimens(caller: &str) -> Vec<(&'static str, Vec<u8>)> {
    let text = "label;area;name;good\n1;10,5;a;true\n2;;\"b; c\";false\n3;1e5;;\n4;NA;\"d\n\"\"e\"\"\";true\n5;-inf;f;true\n";
    let comma = "label,area,name\n1,10.5,a\n2,11,\"b, c\"\n3,NaN,d\n4,1e-5,e\n";
    let utf16 = comma.encode_utf16().flat_map(u16::to_le_bytes);
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(utf16).collect();
    let table = Table::from_bytes("t.csv", text.as_bytes()).unwrap();
    let folder = scratch(&format!("specimens-{caller}"));
    let binary = |suffix: &str| {
        let path = folder.join(format!("t.{suffix}"));
        write(&table.frame, &path, Existing::Overwrite).unwrap();
        std::fs::read(path).unwrap()
    };
    let (parquet, ipc) = (binary("parquet"), binary("arrow"));
    let mut frame = table.frame.clone();
    let (mut packed_ipc, mut plain_parquet) = (Vec::new(), Vec::new());
    let writer = IpcWriter::new(&mut packed_ipc).with_compression(Some(IpcCompression::LZ4));
    { writer }.finish(&mut frame).unwrap();
    let writer = ParquetWriter::new(&mut plain_parquet).with_row_group_size(Some(2));
    writer.with_compression(ParquetCompression::Uncompressed).finish(&mut frame).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    vec![
        ("csv", comma.into()),
        ("semicolon.csv", text.into()),
        ("tsv", comma.replace(',', "\t").into()),
        ("aligned.txt", "label area\n  1   10.5\n  2   11.5\n".into()),
        ("utf16.csv", utf16),
        ("csv.gz", flate2_bytes(comma.as_bytes())),
        ("parquet", parquet),
        ("plain.parquet", plain_parquet),
        ("arrow", ipc),
        ("packed.arrow", packed_ipc),
    ]
}

/// Bytes flipped, replaced, cut, doubled; and bytes that mean something to some reader put in.
fn damaged(bytes: &[u8], stream: &mut Stream) -> Vec<u8> {
    const MEANINGFUL: &[u8] = b"\",;\t|\n\r\0 .-+eE0919=#\xff\xfe\x80\x7f\x01";
    let mut bytes = bytes.to_vec();
    for _ in 0..=stream.below(4) {
        let n = bytes.len();
        if n == 0 {
            break;
        }
        let at = stream.below(n);
        match stream.below(8) {
            0 => bytes[at] ^= 1 << stream.below(8),
            1 => bytes[at] = stream.bits() as u8,
            2 => bytes[at] = MEANINGFUL[stream.below(MEANINGFUL.len())],
            3 => bytes.insert(at, MEANINGFUL[stream.below(MEANINGFUL.len())]),
            4 => bytes.truncate(at),
            5 => drop(bytes.drain(at..(at + 1 + stream.below(8)).min(n))),
            6 => {
                let copy: Vec<u8> = bytes[at..(at + 1 + stream.below(64)).min(n)].to_vec();
                let to = stream.below(n);
                bytes.splice(to..to, copy);
            }
            _ => {
                let value = [0, u32::MAX, i32::MAX as u32, 1 << 20][stream.below(4)].to_le_bytes();
                let end = (at + 4).min(n);
                bytes[at..end].copy_from_slice(&value[..end - at]);
            }
        }
    }
    bytes
}

/// 10,000 damaged tables: each is read or refused with a sentence, none panics or takes all memory.
fn survives_damage(kind: &str) {
    let (_, specimen) = specimens(kind).into_iter().find(|(k, _)| *k == kind).unwrap();
    survives(kind, &specimen);
}

fn survives(kind: &str, specimen: &[u8]) {
    let mut stream = Seed::new(7).stream(kind, 0);
    let mut read = 0;
    let more = std::env::var("POLARISCOPE_MUTATIONS").ok().and_then(|n| n.parse().ok());
    let n = more.unwrap_or(10_000);
    for _ in 0..n {
        match Table::from_bytes(kind, &damaged(specimen, &mut stream)) {
            Ok(table) => {
                read += 1;
                assert!(table.frame.height() > 0);
                write_csv(&table.frame, &mut std::io::sink()).unwrap();
            }
            Err(error) => assert!(!error.message().is_empty()),
        }
    }
    println!("{kind}: {read} of {n} were read, the others refused");
}

#[test]
fn damaged_commas() {
    survives_damage("csv");
}

#[test]
fn damaged_semicolons() {
    survives_damage("semicolon.csv");
}

#[test]
fn damaged_tabs() {
    survives_damage("tsv");
}

#[test]
fn damaged_alignment() {
    survives_damage("aligned.txt");
}

#[test]
fn damaged_utf16() {
    survives_damage("utf16.csv");
}

#[test]
fn damaged_gzip() {
    survives_damage("csv.gz");
}

#[test]
fn damaged_parquet() {
    survives_damage("parquet");
}

#[test]
fn damaged_parquet_without_compression() {
    survives_damage("plain.parquet");
}

#[test]
fn damaged_arrow() {
    survives_damage("arrow");
}

#[test]
fn damaged_arrow_with_compression() {
    survives_damage("packed.arrow");
}

/// A file of tests/reference/tables.
fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tables").join(name)
}

#[test]
fn tables_of_pyarrow() {
    let expected = "label,area,mean,kind,good\n1,10.5,1.5,round,true\n2,,2.5,long,false\n3,,3.5,,\n4,1e+300,4.5,round,true\n";
    let files = ["snappy.parquet", "groups.parquet", "lists.parquet", "lz4.feather", "file.arrow"];
    for name in files.into_iter().chain(["stream.arrows", "zstd.arrows"]) {
        let table = Table::open(reference(name)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(csv(&table), expected, "{name}");
        let said = usize::from(name.starts_with("lists"));
        assert_eq!(table.warnings.len(), said, "{name}: {:?}", table.warnings);
    }
}

#[test]
fn a_parquet_bomb_is_not_let_off() {
    let error = Table::open(reference("bomb.parquet")).unwrap_err();
    assert!(error.to_string().contains("promises 300000000 cells"), "{error}");
}

#[test]
fn damaged_tables_of_pyarrow() {
    for name in ["groups.parquet", "lists.parquet", "lz4.feather", "stream.arrows", "zstd.arrows"] {
        survives(name, &std::fs::read(reference(name)).unwrap());
    }
}
