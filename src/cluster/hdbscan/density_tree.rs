//! Reaches along a walk in; the groups that hold most rows over the longest range of densities, out.

use std::ops::Range;

/// Groups within groups. A density is 1 / reach.
pub(super) struct DensityTree {
    /// The first holds all rows; the others come after the one they broke off.
    groups: Vec<Group>,
    /// For each place of the walk the last group that held its row, and the density at which the row left it.
    left: Vec<(usize, f64)>,
}

struct Group {
    parent: usize,
    /// The density at which it broke off its parent.
    birth: f64,
    /// The density at which it breaks apart itself.
    death: f64,
    /// The densities that its rows spend in it, added up.
    mass: f64,
}

impl Group {
    fn born(parent: usize, birth: f64) -> Self {
        Self { parent, birth, death: birth, mass: 0.0 }
    }
}

impl DensityTree {
    /// Breaks the walk at its largest reaches, and the pieces again. Pieces of at least `min_size` rows are groups,
    /// if there are two or more of them; else the group goes on, and loses the rows of the others.
    pub(super) fn of(reach: &[f64], min_size: usize) -> Self {
        let breaks = Breaks::of(reach);
        let mut groups = vec![Group::born(0, 0.0)];
        let mut left = vec![(0, 0.0); reach.len()];
        let mut open = vec![(0, 0..reach.len(), breaks.first)];
        while let Some((group, places, at)) = open.pop() {
            let Some(at) = at else { continue };
            let density = 1.0 / reach[at];
            let (large, small): (Vec<_>, Vec<_>) = breaks
                .pieces(reach, &places, at)
                .into_iter()
                .partition(|(piece, _)| piece.len() >= min_size);
            let goes_on = large.len() == 1;
            let stay = if goes_on { large[0].0.len() } else { 0 };
            groups[group].mass += (density - groups[group].birth) * (places.len() - stay) as f64;
            groups[group].death = density;
            for (piece, _) in small {
                left[piece].fill((group, density));
            }
            for (piece, at) in large {
                if !goes_on {
                    groups.push(Group::born(group, density));
                }
                open.push((if goes_on { group } else { groups.len() - 1 }, piece, at));
            }
        }
        Self { groups, left }
    }

    /// For each group the one that is reported in its place: itself or one that it is part of, if any. A group is
    /// reported unless the groups it breaks into have more mass together; all rows together are none.
    fn reported(&self) -> Vec<Option<usize>> {
        let n = self.groups.len();
        let mut below = vec![0.0; n];
        let mut reported = vec![None; n];
        for (g, group) in self.groups.iter().enumerate().skip(1).rev() {
            reported[g] = (group.mass >= below[g]).then_some(g);
            below[group.parent] += group.mass.max(below[g]);
        }
        for (g, group) in self.groups.iter().enumerate().skip(1) {
            reported[g] = reported[group.parent].or(reported[g]);
        }
        reported
    }

    /// For each place of the walk its group (0 for none) and how deep in it the row is.
    pub(super) fn members(&self) -> impl Iterator<Item = (usize, f64)> {
        let reported = self.reported();
        self.left.iter().map(move |&(last, density)| match reported[last] {
            None => (0, 0.0),
            Some(group) => {
                let death = self.groups[group].death;
                (group, if density < death { density / death } else { 1.0 })
            }
        })
    }
}

/// Where a walk is broken first, and where the pieces: a Cartesian tree of the reaches.
struct Breaks {
    first: Option<usize>,
    before: Vec<Option<usize>>,
    after: Vec<Option<usize>>,
}

impl Breaks {
    /// The reach of the first place leads to no row before it and takes no part.
    fn of(reach: &[f64]) -> Self {
        let (mut before, mut after) = (vec![None; reach.len()], vec![None; reach.len()]);
        // From the largest reach to the last one, each the largest of those after the one before it.
        let mut open: Vec<usize> = Vec::new();
        for at in 1..reach.len() {
            while let Some(lower) = open.pop_if(|open| reach[*open] < reach[at]) {
                before[at] = Some(lower);
            }
            if let Some(&higher) = open.last() {
                after[higher] = Some(at);
            }
            open.push(at);
        }
        Self { first: open.first().copied(), before, after }
    }

    /// The pieces of `places` between all breaks of the largest reach, which is that of `at`; and where each is
    /// broken next.
    fn pieces(
        &self,
        reach: &[f64],
        places: &Range<usize>,
        at: usize,
    ) -> Vec<(Range<usize>, Option<usize>)> {
        let mut pieces = vec![(places.start..at, self.before[at])];
        let mut start = at;
        // Of equal reaches, each is the first break after the one before it.
        while let Some(next) = self.after[start].filter(|&next| reach[next] == reach[at]) {
            pieces.push((start..next, self.before[next]));
            start = next;
        }
        pieces.push((start..places.end, self.after[start]));
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: f64 = f64::INFINITY;

    fn groups(reach: &[f64], min_size: usize) -> Vec<usize> {
        DensityTree::of(reach, min_size).members().map(|member| member.0).collect()
    }

    #[test]
    fn one_break_makes_two_groups_and_none_makes_none() {
        assert_eq!(groups(&[FIRST, 1.0, 1.0, 5.0, 2.0, 2.0], 3), [1, 1, 1, 2, 2, 2]);
        assert_eq!(groups(&[FIRST, 1.0, 1.0, 1.0], 2), [0; 4]);
        assert_eq!(groups(&[FIRST], 2), [0]);
    }

    #[test]
    fn rows_that_meet_at_one_reach_are_joined_at_once() {
        // A lone row between two groups, as far from either: in neither, from whichever side one comes.
        assert_eq!(groups(&[FIRST, 1.0, 4.0, 4.0, 1.0], 2), [1, 1, 0, 2, 2]);
        // Three groups, all at one distance, are siblings.
        let tree = DensityTree::of(&[FIRST, 1.0, 4.0, 1.0, 4.0, 1.0], 2);
        assert_eq!(tree.groups.iter().map(|g| g.parent).collect::<Vec<_>>(), [0, 0, 0, 0]);
    }

    #[test]
    fn more_mass_decides_between_a_group_and_its_parts() {
        // Parts that hold together much longer than the whole does.
        let deep = [FIRST, 0.1, 0.1, 1.0, 0.1, 0.1, 2.0, 1.9, 1.9];
        assert_eq!(groups(&deep, 3), [3, 3, 3, 4, 4, 4, 2, 2, 2]);
        // Parts that fall apart as soon as they are born.
        let shallow = [FIRST, 0.9, 0.9, 1.0, 0.9, 0.9, 20.0, 1.9, 1.9];
        assert_eq!(groups(&shallow, 3)[..6], [1; 6]);
    }

    #[test]
    fn probabilities_are_shares_of_the_density_at_the_end() {
        let tree = DensityTree::of(&[FIRST, 1.0, 1.0, 4.0, 9.0, 2.0, 2.0], 3);
        let sure: Vec<f64> = tree.members().map(|member| member.1).collect();
        assert_eq!(sure, [1.0, 1.0, 1.0, 0.25, 1.0, 1.0, 1.0]);
        // Rows that are all equal are infinitely dense.
        let tree = DensityTree::of(&[FIRST, 0.0, 0.0, 4.0, 2.0, 2.0], 3);
        assert!(tree.members().all(|member| member == (member.0, 1.0) && member.0 > 0));
    }
}
