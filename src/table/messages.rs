//! What the messages of an Arrow IPC file or stream promise, read from their metadata alone.
//!
//! The table library trusts these numbers when it allocates; here they are compared with the file first.
//! Metadata are flatbuffers (Message.fbs, File.fbs): tables whose fields are found by number through a vtable.

/// Rows times columns, and bytes after unpacking, of all batches; or what is wrong with the file.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Promised {
    pub cells: u64,
    pub bytes: u64,
}

type Checked<T> = Result<T, &'static str>;

const DAMAGED: &str = "its metadata are damaged";

/// Values of `MessageHeader`.
const DICTIONARY_BATCH: u8 = 2;
const RECORD_BATCH: u8 = 3;

/// For a file, whose footer lists the batches.
pub(super) fn of_file(file: &[u8]) -> Checked<Promised> {
    let footer = footer(file).ok_or(DAMAGED)?;
    let mut sum = Promised::default();
    for vector in [2, 3] {
        for block in footer.structs(vector, 24).ok_or(DAMAGED)? {
            let start = i64_at(block, 0).and_then(|v| usize::try_from(v).ok()).ok_or(DAMAGED)?;
            let metadata = i32_at(block, 8).and_then(|v| usize::try_from(v).ok()).ok_or(DAMAGED)?;
            let body = start.checked_add(metadata).ok_or(DAMAGED)?;
            let (message, _) = message(file, start).ok_or(DAMAGED)?;
            sum.add(batch(message, file, body)?);
        }
    }
    Ok(sum)
}

/// For a stream, which is one message after the other.
pub(super) fn of_stream(stream: &[u8]) -> Checked<Promised> {
    let (mut sum, mut at) = (Promised::default(), 0);
    while let Some((message, body)) = message(stream, at) {
        sum.add(batch(message, stream, body)?);
        let length = message.i64(3).ok_or(DAMAGED)?.unwrap_or(0);
        let length = usize::try_from(length).map_err(|_| DAMAGED)?;
        at = body.checked_add(length).ok_or(DAMAGED)?;
    }
    Ok(sum)
}

impl Promised {
    fn add(&mut self, other: Self) {
        self.cells = self.cells.saturating_add(other.cells);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// The footer's table: before the last ten bytes, which are its length and the magic.
fn footer(file: &[u8]) -> Option<Table<'_>> {
    let end = file.len().checked_sub(10)?;
    let length = usize::try_from(i32_at(file, end)?).ok()?;
    Table::root(file.get(end.checked_sub(length)?..end)?)
}

/// The message at `start`, and where its body begins; `None` at the end of a stream too.
fn message(file: &[u8], start: usize) -> Option<(Table<'_>, usize)> {
    let marked = file.get(start..start.checked_add(4)?)? == [0xff; 4];
    let start = if marked { start + 4 } else { start };
    let length = usize::try_from(i32_at(file, start)?).ok().filter(|&n| n > 0)?;
    let body = (start + 4).checked_add(length)?;
    Some((Table::root(file.get(start + 4..body)?)?, body))
}

/// What a batch promises; messages of other kinds promise nothing.
fn batch(message: Table, file: &[u8], body: usize) -> Checked<Promised> {
    let header = match message.u8(1).ok_or(DAMAGED)? {
        Some(RECORD_BATCH) => message.table(2),
        Some(DICTIONARY_BATCH) => message.table(2).flatten().and_then(|d| d.table(1)),
        _ => return Ok(Promised::default()),
    };
    let header = header.flatten().ok_or(DAMAGED)?;
    let rows = header.i64(0).ok_or(DAMAGED)?.unwrap_or(0);
    let rows = u64::try_from(rows).map_err(|_| "a batch has a negative number of rows")?;
    let packed = header.table(3).ok_or(DAMAGED)?.is_some();
    let mut bytes = 0_u64;
    for buffer in header.structs(2, 16).ok_or(DAMAGED)? {
        let number = |at| i64_at(buffer, at).and_then(|v| usize::try_from(v).ok());
        let (offset, length) = number(0).zip(number(8)).ok_or("a buffer has a negative size")?;
        let start = body.checked_add(offset).ok_or(DAMAGED)?;
        let end = start.checked_add(length).ok_or(DAMAGED)?;
        let content = file.get(start..end).ok_or("a buffer lies outside the file")?;
        bytes = bytes.saturating_add(unpacked(content, packed)?);
    }
    let mut columns = 0;
    for node in header.structs(1, 16).ok_or(DAMAGED)? {
        let length = i64_at(node, 0).and_then(|v| u64::try_from(v).ok());
        // Lists hold more items than there are rows, but those take room in the file.
        let length = length.ok_or("a column has a negative number of rows")?;
        if length > rows.max(bytes.saturating_mul(8)) {
            return Err("a column promises more rows than its batch");
        }
        columns += 1;
    }
    Ok(Promised { cells: rows.saturating_mul(columns), bytes })
}

/// The size after unpacking: a packed buffer begins with it, or with -1 when packing did not pay.
fn unpacked(content: &[u8], packed: bool) -> Checked<u64> {
    let length = content.len() as u64;
    if !packed || content.is_empty() {
        return Ok(length);
    }
    match i64_at(content, 0) {
        Some(-1) => Ok(length - 8),
        Some(size) => u64::try_from(size).map_err(|_| "a buffer has a negative size"),
        None => Err("a packed buffer is too short"),
    }
}

/// A table of a flatbuffer.
#[derive(Debug, Clone, Copy)]
struct Table<'a> {
    buffer: &'a [u8],
    at: usize,
}

/// Every accessor: the outer `None` is damage, the inner one a field that is not there.
#[expect(clippy::option_option, reason = "damaged, absent and present are three different things")]
impl<'a> Table<'a> {
    fn root(buffer: &'a [u8]) -> Option<Self> {
        Some(Self { buffer, at: usize::try_from(i32_at(buffer, 0)?).ok()? })
    }

    /// Where field `number` stands.
    fn field(self, number: usize) -> Option<Option<usize>> {
        let back = i64::from(i32_at(self.buffer, self.at)?);
        let vtable = usize::try_from(i64::try_from(self.at).ok()? - back).ok()?;
        let slot = 4 + 2 * number;
        if slot + 2 > usize::from(u16_at(self.buffer, vtable)?) {
            return Some(None);
        }
        let offset = usize::from(u16_at(self.buffer, vtable.checked_add(slot)?)?);
        Some((offset > 0).then_some(self.at.checked_add(offset)?))
    }

    fn u8(self, number: usize) -> Option<Option<u8>> {
        match self.field(number)? {
            Some(at) => Some(Some(*self.buffer.get(at)?)),
            None => Some(None),
        }
    }

    fn i64(self, number: usize) -> Option<Option<i64>> {
        match self.field(number)? {
            Some(at) => Some(Some(i64_at(self.buffer, at)?)),
            None => Some(None),
        }
    }

    /// What a field that refers to another place refers to.
    fn target(self, number: usize) -> Option<Option<usize>> {
        match self.field(number)? {
            Some(at) => {
                Some(Some(at.checked_add(usize::try_from(i32_at(self.buffer, at)?).ok()?)?))
            }
            None => Some(None),
        }
    }

    fn table(self, number: usize) -> Option<Option<Table<'a>>> {
        Some(self.target(number)?.map(|at| Table { buffer: self.buffer, at }))
    }

    /// The elements of a vector of structs of `size` bytes; none when the field is not there.
    fn structs(self, number: usize, size: usize) -> Option<std::slice::ChunksExact<'a, u8>> {
        let Some(at) = self.target(number)? else { return Some([].chunks_exact(size)) };
        let n = usize::try_from(i32_at(self.buffer, at)?).ok()?;
        let start = at.checked_add(4)?;
        let end = start.checked_add(n.checked_mul(size)?)?;
        Some(self.buffer.get(start..end)?.chunks_exact(size))
    }
}

fn bytes_at<const N: usize>(buffer: &[u8], at: usize) -> Option<[u8; N]> {
    buffer.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn u16_at(buffer: &[u8], at: usize) -> Option<u16> {
    bytes_at(buffer, at).map(u16::from_le_bytes)
}

fn i32_at(buffer: &[u8], at: usize) -> Option<i32> {
    bytes_at(buffer, at).map(i32::from_le_bytes)
}

fn i64_at(buffer: &[u8], at: usize) -> Option<i64> {
    bytes_at(buffer, at).map(i64::from_le_bytes)
}
