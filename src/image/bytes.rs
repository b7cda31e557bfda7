//! A file or a block of memory becomes a place to read from, where nothing can be read that is not there.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result, cannot_open};

/// Bytes at addresses.
#[derive(Debug)]
pub(super) enum Bytes {
    Memory(Vec<u8>),
    File { file: Mutex<File>, len: u64 },
}

impl Bytes {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let cannot = |e: std::io::Error| cannot_open(path, &e);
        if path.is_dir() {
            return Err(Error::io("is a folder, not an image")
                .in_file(path)
                .help("name one file in it"));
        }
        let file = File::open(path).map_err(cannot)?;
        let len = file.metadata().map_err(cannot)?.len();
        Ok(Self::File { file: Mutex::new(file), len })
    }

    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// `count` bytes from address `start`; never allocates more than the file is long.
    pub(super) fn read(&self, start: u64, count: u64) -> Result<Vec<u8>> {
        if start.checked_add(count).is_none_or(|end| end > self.len()) {
            return Err(Error::format(format!(
                "the file ends after {} bytes, where {count} bytes from address {start} were expected",
                self.len()
            ))
            .help("the file is cut short or damaged: copy or export it again"));
        }
        match self {
            Self::Memory(bytes) => Ok(bytes[start as usize..(start + count) as usize].to_vec()),
            Self::File { file, .. } => {
                let mut bytes = vec![0; count as usize];
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(start))
                    .and_then(|_| file.read_exact(&mut bytes))
                    .map_err(|e| Error::io(format!("cannot be read: {e}")))?;
                Ok(bytes)
            }
        }
    }

    /// Refuses a header that promises far more pixels than the file can hold.
    ///
    /// `ratio` is the most that the file's compression can achieve.
    pub(super) fn check_promise(&self, promised: u128, ratio: u64) -> Result<()> {
        let most = u128::from(self.len()) * u128::from(ratio);
        if promised <= most {
            return Ok(());
        }
        Err(Error::format(format!(
            "the header promises {promised} bytes of pixels, but the file has only {}",
            self.len()
        ))
        .help("the file is cut short or damaged: copy or export it again"))
    }
}
