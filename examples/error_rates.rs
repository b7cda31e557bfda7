//! How often is the light wrong? Tables of known truth, explored with nothing set but the seed; prints the table of
//! the book's page on trust, and on standard error every outcome that is not right.
//!
//! `cargo run --release --example error_rates -- [TABLES PER KIND, default 40]`

#[path = "../tests/suite/made.rs"]
mod made;

use polariscope::progress::Progress;
use polariscope::stability::Light;
use polariscope::walkthrough::{Map, Outcome, Recipe};

use made::Kind;

fn main() -> polariscope::Result<()> {
    let n_tables = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(40u64);
    println!("| what is in the table | groups there | green | amber | red | right | k found |");
    println!("|---|---|---|---|---|---|---|");
    let (mut false_green, mut false_red) = ((0, 0), (0, 0));
    for kind in Kind::ALL {
        let mut lights = [0u64; 3];
        let (mut right, mut found) = (0, 0);
        for number in 0..n_tables {
            // Numbers that the tests do not use.
            let (table, seed) = (kind.table(1000 + number), number);
            let recipe = Recipe { embed: vec![Map::Pca], seed, ..Recipe::default() };
            let outcome = Outcome::of("made.csv", table, &recipe, |_| Progress::default())?;
            let light = outcome.verdict.light;
            lights[light as usize] += 1;
            let k = outcome.groups.choice.as_ref().map_or(outcome.groups.k, |choice| choice.k);
            let is_right = kind.right().contains(&light);
            right += u64::from(is_right);
            if !is_right {
                let (sizes, valleys) =
                    (outcome.groups.sizes(), outcome.groups.null.map(|n| n.valleys));
                eprintln!("{kind:?} {number}: {} {sizes:?} {valleys:?}", outcome.verdict.sentence);
            }
            found += u64::from(k == kind.k());
        }
        let [red, amber, green] = lights;
        if !kind.right().contains(&Light::Green) {
            false_green = (false_green.0 + green, false_green.1 + n_tables);
        }
        if !kind.right().contains(&Light::Red) {
            false_red = (false_red.0 + red, false_red.1 + n_tables);
        }
        let (name, k) = (format!("{kind:?}"), kind.k());
        println!("| {name} | {k} | {green} | {amber} | {red} | {right} of {n_tables} | {found} |");
    }
    println!();
    println!(
        "False green: {} of {} tables. False red: {} of {}.",
        false_green.0, false_green.1, false_red.0, false_red.1
    );
    Ok(())
}
