//! The forces against their definition.

use super::*;
use crate::seed::Seed;

fn points<const D: usize>(n: usize) -> Vec<[f32; D]> {
    let mut stream = Seed::new(8).stream("points", 0);
    (0..n).map(|_| std::array::from_fn(|_| (5.0 * stream.normal()) as f32)).collect()
}

fn affinities(n: usize) -> PaddedRows {
    let mut stream = Seed::new(9).stream("affinities", 0);
    PaddedRows::new((0..n).map(|i| {
        let n_others = i % 21;
        (0..n_others).map(|_| (stream.below(n) as u32, stream.uniform() as f32)).collect::<Vec<_>>()
    }))
}

/// The definition, in f64.
fn slow_repulsion<const D: usize>(points: &[[f32; D]]) -> (Vec<[f64; D]>, f64) {
    let mut forces = vec![[0.0; D]; points.len()];
    let mut z = 0.0;
    for (i, a) in points.iter().enumerate() {
        for (_, b) in points.iter().enumerate().filter(|&(j, _)| j != i) {
            let delta: [f64; D] = std::array::from_fn(|d| f64::from(a[d]) - f64::from(b[d]));
            let q = 1.0 / (1.0 + delta.iter().map(|x| x * x).sum::<f64>());
            z += q;
            (0..D).for_each(|d| forces[i][d] += q * q * delta[d]);
        }
    }
    (forces, z)
}

fn check_repulsion<const D: usize>(n: usize) {
    let points = points::<D>(n);
    let mut forces = vec![[0.0; D]; n];
    let z = repulsion(&points, &mut forces);
    let (expected, expected_z) = slow_repulsion(&points);
    assert!(
        (z - expected_z).abs() <= 1e-6 * (expected_z + n as f64),
        "{n} points: {z} {expected_z}"
    );
    for (force, expected) in forces.iter().zip(&expected) {
        for d in 0..D {
            // f32 sums of up to 300 terms below 1.
            assert!((f64::from(force[d]) - expected[d]).abs() < 2e-5, "{force:?} {expected:?}");
        }
    }
    let mut scalar = vec![[0.0; D]; n];
    let scalar_z = repulsion_by(&points, &mut scalar, |block, columns| {
        Push { block, columns }.on::<[f32; LANES]>()
    });
    assert_eq!((scalar, scalar_z.to_bits()), (forces, z.to_bits()));
}

#[test]
fn repulsion_is_its_definition_and_the_scalar_twin_has_the_same_bits() {
    for n in [1, 2, 7, 8, 9, 127, 128, 129, 300] {
        check_repulsion::<1>(n);
        check_repulsion::<2>(n);
        check_repulsion::<3>(n);
    }
}

#[test]
fn repulsion_from_others_is_the_repulsion_among_all() {
    let points = points::<2>(77);
    let (mut among, mut from) = (vec![[0.0; 2]; 77], vec![[0.0; 2]; 77]);
    let z = repulsion(&points, &mut among);
    let zs = repulsion_from(&points, &points, &mut from);
    let sum: f64 = zs.iter().map(|&z| f64::from(z) - 1.0).sum();
    assert!((sum - z).abs() < 1e-4 * z);
    assert!(among.iter().zip(&from).all(|(a, b)| (a[0] - b[0]).abs() + (a[1] - b[1]).abs() < 1e-4));
    let (mut scalar, mut scalar_zs) = (vec![[0.0; 2]; 77], vec![0.0; 77]);
    PushFrom {
        columns: &columns_of(&points),
        points: &points,
        forces: &mut scalar,
        z: &mut scalar_zs,
    }
    .on::<[f32; LANES]>();
    assert_eq!((scalar, scalar_zs), (from, zs));
}

fn check_attraction<const D: usize>() {
    let (points, rows) = (points::<D>(200), affinities(200));
    let mut forces = vec![[0.0; D]; 200];
    attraction(&rows, &points, &points, &mut forces);
    for (i, force) in forces.iter().enumerate() {
        let (others, weights) = rows.row(i);
        let mut expected = [0.0; D];
        for (&j, &w) in others.iter().zip(weights) {
            let delta: [f64; D] =
                std::array::from_fn(|d| f64::from(points[i][d]) - f64::from(points[j as usize][d]));
            let q = 1.0 / (1.0 + delta.iter().map(|x| x * x).sum::<f64>());
            (0..D).for_each(|d| expected[d] += f64::from(w) * q * delta[d]);
        }
        assert!((0..D).all(|d| (f64::from(force[d]) - expected[d]).abs() < 1e-5));
    }
    let mut scalar = vec![[0.0; D]; 200];
    Pull { affinities: &rows, points: &points, targets: &points, first: 0, forces: &mut scalar }
        .on::<[f32; LANES]>();
    assert_eq!(scalar, forces);
}

#[test]
fn attraction_is_its_definition_and_the_scalar_twin_has_the_same_bits() {
    check_attraction::<1>();
    check_attraction::<2>();
    check_attraction::<3>();
}

#[test]
fn near_and_far_part_make_the_potential_and_the_push_is_its_slope() {
    let near = NearPart::within(2.0);
    // The push of one point at the origin on another at distance r, and its potential.
    let push = |r: f32| {
        let mut others = [vec![0.0], vec![0.0]];
        NearPart::pad(&mut others);
        let mut force = [[0.0; 2]];
        let potential = near.push(&others, &[[r, 0.0]], &mut force);
        let mut scalar = [[0.0; 2]];
        PushNear { near, others: &others, points: &[[r, 0.0]], forces: &mut scalar }
            .on::<[f32; LANES]>();
        assert_eq!(scalar, force);
        (f64::from(force[0][0]), potential)
    };
    for r in [0.0, 0.3, 1.0, 1.7, 1.99, 2.5] {
        let whole = 1.0 / (1.0 + r * r);
        assert!((push(r).1 + f64::from(near.far(r * r)) - f64::from(whole)).abs() < 1e-6, "{r}");
        let step = 0.01;
        let slope = (push(r + step).1 - push(r - step).1) / f64::from(2.0 * step);
        assert!((push(r).0 + 0.5 * slope).abs() < 2e-4, "{r}: {} {slope}", push(r).0);
    }
    assert!((push(0.0).1 - near.at_zero()).abs() < 1e-6);
}
