//! Zeros for images: memory that the system hands out in large pages, where it can.
//!
//! An image is written once, soon after it was made. With pages of 4 KiB the system is entered ten thousand
//! times for 40 MB, which takes longer than the writing; numpy asks for large pages for the same reason.

/// `count` zeros, untouched until they are written.
pub fn zeros<T: Clone + Default>(count: usize) -> Vec<T> {
    let values = vec![T::default(); count];
    if size_of_val(values.as_slice()) >= LEAST_BYTES {
        ask_for_large_pages(&values);
    }
    values
}

/// Below this nothing is gained.
const LEAST_BYTES: usize = 1 << 22;

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "madvise takes an address")]
fn ask_for_large_pages<T>(values: &[T]) {
    use std::ffi::{c_int, c_void};
    unsafe extern "C" {
        fn madvise(address: *mut c_void, length: usize, advice: c_int) -> c_int;
    }
    /// `MADV_HUGEPAGE` in linux/mman.h.
    const HUGE_PAGE: c_int = 14;
    /// Advice is given for whole pages.
    const PAGE: usize = 1 << 12;
    let start = values.as_ptr().cast::<u8>();
    let skipped = start.align_offset(PAGE);
    let Some(length) = size_of_val(values).checked_sub(skipped) else { return };
    // SAFETY: the range lies inside an allocation that is borrowed for the call; the advice changes no byte
    // and may be refused, which changes nothing either.
    unsafe {
        let _ = madvise(start.add(skipped).cast_mut().cast(), length / PAGE * PAGE, HUGE_PAGE);
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_for_large_pages<T>(_values: &[T]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_of_any_size() {
        for count in [0, 1, 1000, (1 << 21) + 3] {
            let mut values: Vec<u32> = zeros(count);
            assert!(values.len() == count && values.iter().all(|v| *v == 0));
            values.iter_mut().for_each(|v| *v = 7);
            assert!(values.iter().all(|v| *v == 7));
        }
    }
}
