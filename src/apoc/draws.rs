//! The random numbers of scikit-learn, so that a seed grows the trees that APOC grows from it.

/// Words of the generator's state.
const N: usize = 624;

/// numpy's `RandomState`: the Mersenne Twister (Matsumoto and Nishimura, 1998).
pub(super) struct RandomState {
    words: [u32; N],
    used: usize,
}

impl RandomState {
    /// As `RandomState(seed)`.
    pub fn new(seed: u32) -> Self {
        let mut words = [seed; N];
        for i in 1..N {
            let last = words[i - 1];
            words[i] = 1_812_433_253u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(i as u32);
        }
        Self { words, used: N }
    }

    fn bits(&mut self) -> u32 {
        if self.used == N {
            for i in 0..N {
                let both = (self.words[i] & 1 << 31) | (self.words[(i + 1) % N] & !(1 << 31));
                let twist = if both & 1 == 1 { 0x9908_b0df } else { 0 };
                self.words[i] = self.words[(i + 397) % N] ^ (both >> 1) ^ twist;
            }
            self.used = 0;
        }
        let mut word = self.words[self.used];
        self.used += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// As `randint(0, n)`: draws are cut to as many bits as `n - 1` has, until one is below `n`.
    pub fn below(&mut self, n: u32) -> u32 {
        if n <= 1 {
            return 0;
        }
        let mask = u32::MAX >> (n - 1).leading_zeros();
        loop {
            let draw = self.bits() & mask;
            if draw < n {
                return draw;
            }
        }
    }
}

/// The generator that chooses features inside a tree (Marsaglia, *Xorshift RNGs*, 2003).
pub(super) struct FeatureDraws(u32);

impl FeatureDraws {
    pub fn new(seed: u32) -> Self {
        Self(seed.max(1))
    }

    /// Some number from `low` on, below `high`.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        let draw = (self.0 & i32::MAX as u32) as usize;
        low + draw % (high - low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_numpy() {
        // numpy.random.RandomState(0).randint(2**31 - 1, size=3), and of 2019 0..1000 the 700th on.
        let mut state = RandomState::new(0);
        let draws = [0; 3].map(|_| state.below(i32::MAX as u32));
        assert_eq!(draws, [209_652_396, 398_764_591, 924_231_285]);
        let mut state = RandomState::new(2019);
        let skipped = (0..700).map(|_| state.below(1000)).max();
        assert_eq!(skipped, Some(998));
        assert_eq!([0; 3].map(|_| state.below(1000)), [431, 207, 70]);
    }
}
