//! One error for the whole crate: what was found, where, what is allowed, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

/// The result of every fallible call in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Who must act to make an [`Error`] go away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A parameter is outside its allowed range: change the call.
    Parameter,
    /// The data cannot carry the analysis (too few rows, not finite, constant): change the data.
    Data,
    /// A file is malformed: mend or re-export the file.
    Format,
    /// A file or folder cannot be read or written: check the path, the permissions, the disk.
    Io,
    /// The chosen backend is not available: pick another one.
    Backend,
    /// A fault inside this crate or a library it uses: please report it.
    Internal,
}

impl ErrorKind {
    /// The word used for this kind in `--json` output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parameter => "parameter",
            Self::Data => "data",
            Self::Format => "format",
            Self::Io => "io",
            Self::Backend => "backend",
            Self::Internal => "internal",
        }
    }
}

/// What went wrong, with the place, the value and the remedy as far as they are known.
///
/// ```
/// use polariscope::error::{Error, ErrorKind};
/// let error = Error::parameter("n_clusters", 0, "at least 1 and at most the number of rows (3)");
/// assert_eq!(error.kind(), ErrorKind::Parameter);
/// assert_eq!(
///     error.to_string(),
///     "n_clusters = 0 is invalid: must be at least 1 and at most the number of rows (3)"
/// );
/// ```
#[derive(Debug, Clone)]
pub struct Error(Box<Details>);

#[derive(Debug, Clone)]
struct Details {
    kind: ErrorKind,
    message: String,
    file: Option<PathBuf>,
    row: Option<usize>,
    column: Option<String>,
    help: Option<String>,
}

impl Error {
    /// An error of `kind` with a sentence that says what was found and what is allowed.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Details { kind, message, file: None, row: None, column: None, help: None }))
    }

    /// `name = value is invalid: must be allowed`.
    pub fn parameter(name: &str, value: impl fmt::Display, allowed: impl fmt::Display) -> Self {
        let message = format!("{name} = {value} is invalid: must be {allowed}");
        Self::new(ErrorKind::Parameter, message)
    }

    /// The data cannot carry the analysis.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }

    /// A file is malformed.
    pub fn format(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Format, message)
    }

    /// A file or folder cannot be read or written.
    pub fn io(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Io, message)
    }

    /// The chosen backend cannot do it.
    pub fn backend(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Backend, message)
    }

    /// A fault of ours or of a library.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Names the file; an inner call that already named one is kept.
    pub fn in_file(mut self, path: impl AsRef<Path>) -> Self {
        self.0.file.get_or_insert_with(|| path.as_ref().to_path_buf());
        self
    }

    /// Names the row or line, counted from 1 as an editor does.
    pub fn at_row(mut self, row: usize) -> Self {
        self.0.row = Some(row);
        self
    }

    /// Names the column.
    pub fn at_column(mut self, column: impl Into<String>) -> Self {
        self.0.column = Some(column.into());
        self
    }

    /// Adds the remedy.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Who must act.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The sentence without the place and without the remedy.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The file at fault, if one is.
    pub fn file(&self) -> Option<&Path> {
        self.0.file.as_deref()
    }

    /// The row or line at fault, counted from 1.
    pub fn row(&self) -> Option<usize> {
        self.0.row
    }

    /// The column at fault.
    pub fn column(&self) -> Option<&str> {
        self.0.column.as_deref()
    }

    /// What to do about it.
    pub fn remedy(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
}

/// `FILE: row N: column `NAME`: message`, as far as each is known; the remedy is not part of it.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { message, file, row, column, .. } = &*self.0;
        if let Some(file) = file {
            write!(f, "{}: ", file.display())?;
        }
        if let Some(row) = row {
            write!(f, "row {row}: ")?;
        }
        if let Some(column) = column {
            write!(f, "column `{column}`: ")?;
        }
        f.write_str(message)
    }
}

impl std::error::Error for Error {}

impl From<linfa::Error> for Error {
    fn from(error: linfa::Error) -> Self {
        Self::data(error.to_string())
    }
}

/// The known name closest to `wanted`, for "did you mean ...?"; `None` when nothing is close.
///
/// ```
/// use polariscope::error::closest;
/// assert_eq!(closest("axis_major_lenght", ["area", "axis_major_length"]), Some("axis_major_length"));
/// assert_eq!(closest("colour", ["area"]), None);
/// ```
pub fn closest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = 1 + wanted.chars().count() / 4;
    known
        .into_iter()
        .map(|name| (edit_distance(&wanted.to_lowercase(), &name.to_lowercase()), name))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// Why a file or folder cannot be opened; a missing one is often a misspelt one.
pub(crate) fn cannot_open(path: &Path, error: &std::io::Error) -> Error {
    if error.kind() != std::io::ErrorKind::NotFound {
        return Error::io(format!("cannot be opened: {error}")).in_file(path);
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let error = Error::io("does not exist").in_file(path);
    let Ok(entries) = std::fs::read_dir(folder) else {
        return error.help(format!("the folder {} does not exist either", folder.display()));
    };
    let mut names: Vec<String> =
        entries.flatten().filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    match closest(&wanted, names.iter().map(String::as_str)) {
        Some(close) => {
            error.help(format!("did you mean `{}`?", path.with_file_name(close).display()))
        }
        None => error.help("check the path"),
    }
}

/// Levenshtein distance over characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &cb) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
