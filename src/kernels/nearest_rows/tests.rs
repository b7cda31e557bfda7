//! Every path finds the neighbours that a plain sort finds.

use super::*;
use crate::seed::Seed;

fn paths() -> Vec<Path> {
    let mut paths = vec![Path::Portable];
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            paths.push(Path::Avx2);
        }
        if is_x86_feature_detected!("avx512f") {
            paths.push(Path::Avx512);
        }
    }
    paths
}

fn slow(search: &Search) -> Vec<Vec<Hit>> {
    let row = |query: usize| {
        let others = (0..search.refs.len()).filter(|&j| !(search.skip_self && j == query));
        let gap = |j| search.gap.between(search.queries.row(query), search.refs.row(j));
        let mut hits: Vec<Hit> = others.map(|j| (gap(j), j as u32)).collect();
        hits.sort_by(|a, b| a.partial_cmp(b).unwrap());
        hits.truncate(search.k);
        hits
    };
    (0..search.queries.len()).map(row).collect()
}

fn check(values: &[f64], width: usize, k: usize) {
    let rows = Rows { values, width };
    for gap in [Gap::Squared, Gap::Absolute] {
        let search = Search { refs: rows, queries: rows, k, gap, skip_self: true };
        let expected = slow(&search);
        for path in paths() {
            assert_eq!(search.run(path), expected, "{path:?} {gap:?}");
        }
    }
}

fn normals(n: usize, seed: u64) -> Vec<f64> {
    let mut stream = Seed::new(seed).stream("rows", 0);
    (0..n).map(|_| stream.normal()).collect()
}

#[test]
fn every_path_finds_what_the_definition_finds() {
    for (n, width) in [(2, 1), (16, 2), (17, 2), (65, 3), (300, 7), (401, 20), (4400, 5)] {
        check(&normals(n * width, n as u64), width, 15.min(n - 1));
    }
    // More columns than are turned, and all other rows asked for.
    check(&normals(150 * 120, 3), 120, 149);
}

#[test]
fn ties_and_duplicates_go_to_the_smaller_index() {
    let grid: Vec<f64> = (0..400).flat_map(|i| [f64::from(i % 20), f64::from(i / 20)]).collect();
    check(&grid, 2, 12);
    check(&vec![3.5; 1200], 2, 10);
    let thrice: Vec<f64> = (0..300).flat_map(|i| [f64::from(i % 100), 0.5]).collect();
    check(&thrice, 2, 9);
}

#[test]
fn far_groups_and_extreme_scales_do_not_hide_neighbours() {
    let mut values = normals(900, 4);
    values.iter_mut().skip(450).for_each(|x| *x = *x * 1e-7 + 1e6);
    check(&values, 3, 8);
    check(&normals(600, 5).iter().map(|x| x * 1e200).collect::<Vec<_>>(), 3, 5);
    check(&normals(600, 6).iter().map(|x| x * 1e-150).collect::<Vec<_>>(), 3, 5);
    // Gaps that f32 cannot tell apart in the frame of the farthest row.
    let mut near: Vec<f64> = normals(900, 9).iter().map(|x| x * 1e-20).collect();
    near[450] = 1.0;
    check(&near, 3, 5);
}

#[test]
fn leaves_that_are_passed_over_hold_nothing() {
    let clustered = |n: usize, seed: u64| -> Vec<f64> {
        let mut values = normals(n * 6, seed);
        for (i, row) in values.chunks_exact_mut(6).enumerate() {
            row[0] += 20.0 * (i % 5) as f64;
            row[3] -= 9.0 * (i % 3) as f64;
            // A column that follows another: boxes along the columns would be wide.
            row[5] = row[0] + 0.01 * row[5];
        }
        values
    };
    let (refs, queries) = (clustered(3000, 7), clustered(500, 8));
    let (refs, queries) = (Rows { values: &refs, width: 6 }, Rows { values: &queries, width: 6 });
    for gap in [Gap::Squared, Gap::Absolute] {
        let search = Search { refs, queries, k: 11, gap, skip_self: false };
        let expected = slow(&search);
        for path in paths() {
            assert_eq!(search.run(path), expected, "{path:?} {gap:?}");
        }
    }
}
