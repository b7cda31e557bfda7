//! The verdict on tables of known truth: light and sentence, over 20 tables each.

use std::cell::Cell;

use polariscope::progress::Progress;
use polariscope::stability::Light;
use polariscope::walkthrough::{Groups, Map, Outcome, Recipe, Start};

use super::made::Kind;

/// Tables of each kind. A test at 5 % may be wrong once in twenty; more than two times is a fault.
const TABLES: u64 = 20;
const ALLOWED: usize = 2;

fn explored(kind: Kind, number: u64, k: Groups) -> Outcome {
    let recipe = Recipe { k, embed: vec![Map::Pca], seed: number, ..Recipe::default() };
    run(kind, number, &recipe)
}

fn run(kind: Kind, number: u64, recipe: &Recipe) -> Outcome {
    Outcome::of("made.csv", kind.table(number), recipe, |_| Progress::default()).unwrap()
}

/// Counts the tables whose outcome is not as it should be, and shows the first of them.
fn all_but_few(kind: Kind, k: Groups, is_right: impl Fn(&Outcome) -> bool) {
    let mut wrong = Vec::new();
    for number in 0..TABLES {
        let outcome = explored(kind, number, k);
        let lights = kind.right().contains(&outcome.verdict.light);
        if !lights || !is_right(&outcome) {
            let features = outcome.selection.map(|s| s.sentence);
            wrong.push(format!("{number}: {} ({features:?})", outcome.verdict.sentence));
        }
    }
    assert!(wrong.len() <= ALLOWED, "{kind:?}, {} of {TABLES}: {wrong:#?}", wrong.len());
}

#[test]
fn groups_that_are_apart_are_green() {
    all_but_few(Kind::Apart, Groups::Auto, |o| {
        o.groups.k == 3 && o.verdict.sentence.starts_with("3 groups, repeatable. Sizes and members")
    });
}

#[test]
fn one_long_population_is_one_population_however_repeatably_it_is_cut() {
    let repeated = Cell::new(0);
    all_but_few(Kind::Elongated, Groups::Number(2), |o| {
        repeated.set(repeated.get() + usize::from(o.groups.stability.agree()));
        o.verdict.reason.contains("population")
    });
    assert!(repeated.get() > 15, "only {} of {TABLES} were cut repeatably", repeated.get());
}

#[test]
fn one_skewed_population_is_one_population() {
    all_but_few(Kind::Skewed, Groups::Number(2), |o| {
        o.verdict.sentence.starts_with("Do not report these 2 groups: ")
            && ["no valley", "single population"].iter().any(|why| o.verdict.reason.contains(why))
    });
}

#[test]
fn noise_has_no_groups() {
    all_but_few(Kind::Noise, Groups::Auto, |o| {
        o.verdict.reason.starts_with("a single population explains the table as well")
    });
}

#[test]
fn groups_that_overlap_are_never_green() {
    all_but_few(Kind::Overlapping, Groups::Number(2), |o| {
        ["overlap", "no valley", "single population", "dissolves"]
            .iter()
            .any(|why| o.verdict.reason.contains(why))
    });
}

#[test]
fn groups_of_one_feature_are_its_own() {
    all_but_few(Kind::Alone, Groups::Number(2), |o| {
        let features = &o.selection.as_ref().unwrap().sentence;
        o.verdict.reason.starts_with("the groups are those of f0 alone")
            && features.ends_with("f0 only because the groups were made from it")
    });
}

#[test]
fn copies_of_a_feature_are_one_feature() {
    all_but_few(Kind::Copies, Groups::Number(2), |o| o.verdict.reason.contains("population"));
    all_but_few(Kind::CopiesOfGroups, Groups::Number(2), |o| {
        o.selection.as_ref().unwrap().chosen.len() == 1 && o.verdict.reason.contains(" alone: ")
    });
}

#[test]
fn groups_stay_where_islands_move() {
    let mut wrong = Vec::new();
    for number in 0..TABLES {
        let recipe = Recipe {
            k: Groups::Number(6),
            embed: vec![Map::Pca, Map::Umap],
            init: Start::Random,
            runs: Some(4),
            n_epochs: Some(100),
            seed: number,
            ..Recipe::default()
        };
        let outcome = run(Kind::SixApart, number, &recipe);
        let map = &outcome.umap.as_ref().unwrap().stability;
        let sentence = &outcome.verdict.sentence;
        let says = sentence.contains("distances on the map cannot");
        if outcome.verdict.light != Light::Green || map.procrustes_median < 0.2 || !says {
            wrong.push(format!("{number}: {} {sentence}", map.procrustes_median));
        }
        let screen = outcome.stability_screen(polariscope::report::screen::Style::Plain);
        let moved = map.procrustes_median > 0.2;
        assert_eq!(screen.contains("islands stand"), moved, "{screen}");
    }
    assert!(wrong.len() <= ALLOWED, "{wrong:#?}");
}
