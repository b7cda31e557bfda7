//! A seed becomes an image of blobs, round and elongated, with the labels and the truth behind them.

use std::f64::consts::TAU;

use super::{Grid, IntensityImage, LabelImage};
use crate::error::{Error, Result};
use crate::seed::{Seed, Stream};

/// An image whose truth is known: randomly shaped blobs, none touching another.
///
/// Every blob is a star-shaped region `rho <= 1 + wobble(angle)` in its own stretched and turned
/// coordinates. The two kinds differ in shape first, and overlap little in size and brightness: the
/// elongated ones are the larger and brighter half. Labels are numbered in the order of their first pixel.
///
/// # Determinism
/// The same parameters and seed give the same image, labels and truth.
///
/// ```
/// use polariscope::image::synth::Blobs;
///
/// let blobs = Blobs::params().shape(&[128, 160]).n_objects(20).seed(7).make()?;
/// assert_eq!(blobs.labels.labels().len(), 20);
/// assert_eq!(blobs.truth.len(), 20);
/// assert_eq!(blobs.image.shape(), [128, 160]);
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Blobs {
    /// What a camera would have seen, 8 bits with noise.
    pub image: IntensityImage,
    /// The region of every blob.
    pub labels: LabelImage,
    /// How every blob was made, by ascending label.
    pub truth: Vec<Blob>,
}

/// How one blob was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Blob {
    /// Its label.
    pub label: u32,
    /// Whether it belongs to the elongated group.
    pub elongated: bool,
    /// Centre along z, y, x in pixels.
    pub center: [f64; 3],
    /// Radius of the disc or ball of the same size, in pixels.
    pub radius: f64,
    /// Long over short axis.
    pub aspect_ratio: f64,
    /// Direction of the long axis in the plane, from the x axis towards y, in radians from 0 to pi.
    pub angle: f64,
    /// Grey values above the background at its centre.
    pub brightness: f64,
    wobble: [Wave; 3],
}

/// One term of the outline's deviation from an ellipse.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Wave {
    height: f64,
    phase: f64,
}

/// The waves round the outline; three and more, because two would only change the aspect ratio.
const N_WAVES: [f64; 3] = [3.0, 4.0, 5.0];
/// So many blobs in a row that find no place end the search.
const MAX_MISSES: usize = 5000;
const BACKGROUND: f64 = 24.0;
const NOISE_SD: f64 = 4.0;
/// Width of the blurred outline in pixels.
const BLUR: f64 = 1.2;

/// Parameters of [`Blobs`].
#[derive(Debug, Clone)]
pub struct BlobsParams {
    shape: Vec<usize>,
    n_objects: usize,
    radius: (f64, f64),
    elongated_share: f64,
    gap: f64,
    seed: u64,
}

impl Blobs {
    /// 61 blobs of radius 6 to 15 on 300 x 300 pixels, half of them elongated, seed 0.
    pub fn params() -> BlobsParams {
        BlobsParams {
            shape: vec![300, 300],
            n_objects: 61,
            radius: (6.0, 15.0),
            elongated_share: 0.5,
            gap: 2.0,
            seed: 0,
        }
    }
}

impl BlobsParams {
    /// Pixels along (z,) y, x.
    pub fn shape(mut self, shape: &[usize]) -> Self {
        self.shape = shape.to_vec();
        self
    }

    /// How many blobs to place.
    pub fn n_objects(mut self, n_objects: usize) -> Self {
        self.n_objects = n_objects;
        self
    }

    /// Smallest and largest radius of the disc or ball of the same size, in pixels.
    pub fn radius(mut self, smallest: f64, largest: f64) -> Self {
        self.radius = (smallest, largest);
        self
    }

    /// Expected share of elongated blobs, 0 to 1.
    pub fn elongated_share(mut self, share: f64) -> Self {
        self.elongated_share = share;
        self
    }

    /// Least distance between blobs in pixels.
    pub fn gap(mut self, gap: f64) -> Self {
        self.gap = gap;
        self
    }

    /// The seed; 0 unless set.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Draws the blobs.
    ///
    /// # Errors
    /// When a parameter is out of range or the blobs do not fit into the image.
    pub fn make(&self) -> Result<Blobs> {
        let grid = self.check()?;
        let mut labels = vec![0; grid.n_pixels()];
        let mut blobs = self.place(&grid, &mut labels)?;
        number_in_raster_order(&mut labels, &mut blobs);
        let image = IntensityImage::new(grid.clone(), self.expose(&grid, &blobs))?;
        Ok(Blobs { image, labels: LabelImage::new(grid, labels)?, truth: blobs })
    }

    fn check(&self) -> Result<Grid> {
        let (smallest, largest) = self.radius;
        if !(smallest >= 1.0 && largest >= smallest && largest.is_finite()) {
            let value = format!("{smallest} to {largest}");
            return Err(Error::parameter("radius", value, "at least 1 and ascending"));
        }
        if !(0.0..=1.0).contains(&self.elongated_share) {
            return Err(Error::parameter("elongated_share", self.elongated_share, "from 0 to 1"));
        }
        if !(self.gap >= 0.0 && self.gap.is_finite()) {
            return Err(Error::parameter("gap", self.gap, "at least 0"));
        }
        Grid::new(&self.shape)
    }

    /// Random sequential placement: a blob that would come too close to another is drawn anew.
    fn place(&self, grid: &Grid, labels: &mut [u32]) -> Result<Vec<Blob>> {
        let mut blobs: Vec<Blob> = Vec::with_capacity(self.n_objects);
        let mut n_misses = 0;
        for attempt in 0.. {
            if blobs.len() == self.n_objects || n_misses == MAX_MISSES {
                break;
            }
            n_misses += 1;
            let mut blob = self.draw(grid, attempt);
            if blob.is_inside(grid) && blob.is_free(grid, self.gap, labels) {
                n_misses = 0;
                blob.label = blobs.len() as u32 + 1;
                blob.visit(grid, 0.0, |i, rho| {
                    if rho <= 1.0 {
                        labels[i] = blob.label;
                    }
                });
                blobs.push(blob);
            }
        }
        if blobs.len() < self.n_objects {
            return Err(Error::parameter(
                "n_objects",
                self.n_objects,
                format!("at most about {}: no more fit into {grid}", blobs.len()),
            ));
        }
        Ok(blobs)
    }

    fn draw(&self, grid: &Grid, attempt: u64) -> Blob {
        let mut stream = Seed::new(self.seed).stream("blobs", attempt);
        let elongated = stream.uniform() < self.elongated_share;
        let (low, high) = self.radius;
        let aspect_ratio =
            if elongated { between(&mut stream, 1.9, 3.0) } else { between(&mut stream, 1.0, 1.3) };
        // Kinds of cells differ in more than one trait.
        let kind = f64::from(u8::from(elongated));
        Blob {
            label: 0,
            elongated,
            center: grid.extent().map(|length| stream.uniform() * (length as f64 - 1.0).max(0.0)),
            radius: low * (high / low).powf(f64::midpoint(kind, stream.uniform())),
            aspect_ratio,
            angle: stream.uniform() * TAU / 2.0,
            brightness: between(&mut stream, 90.0 + 50.0 * kind, 140.0 + 50.0 * kind),
            wobble: N_WAVES.map(|n| Wave {
                height: between(&mut stream, 0.0, 0.3 / n),
                phase: stream.uniform() * TAU,
            }),
        }
    }

    /// The blobs with blurred outlines, fading outwards, under noise that depends on the pixel alone.
    fn expose(&self, grid: &Grid, blobs: &[Blob]) -> Vec<u8> {
        let mut light = vec![BACKGROUND; grid.n_pixels()];
        for blob in blobs {
            let short = blob.short_radius();
            blob.visit(grid, 4.0 * BLUR, |i, rho| {
                let inside = 1.0 / (1.0 + ((rho - 1.0) * short / BLUR).exp());
                light[i] += blob.brightness * (1.0 - 0.4 * rho.min(1.0).powi(2)) * inside;
            });
        }
        let [_, _, n_columns] = grid.extent();
        let mut values = Vec::with_capacity(light.len());
        for (row, pixels) in light.chunks(n_columns.max(1)).enumerate() {
            let mut stream = Seed::new(self.seed).stream("noise", row as u64);
            values.extend(pixels.iter().map(|v| (v + NOISE_SD * stream.normal()).round() as u8));
        }
        values
    }
}

impl Blob {
    fn is_flat(grid: &Grid) -> bool {
        grid.n_axes() == 2
    }

    fn short_radius(&self) -> f64 {
        self.radius / self.aspect_ratio.sqrt()
    }

    fn long_radius(&self) -> f64 {
        self.radius * self.aspect_ratio.sqrt()
    }

    /// Half the side of the box that holds the blob and a margin, whichever way it is turned.
    fn half_side(&self, margin: f64) -> f64 {
        let tallest: f64 = 1.0 + self.wobble.iter().map(|wave| wave.height).sum::<f64>();
        // A margin of pixels across the short axis is `aspect_ratio` times wider along the long one.
        self.long_radius() * (tallest + margin / self.short_radius())
    }

    /// Whether the whole blob, a pixel around it included, lies in the image.
    fn is_inside(&self, grid: &Grid) -> bool {
        let side = self.half_side(1.0);
        let fits = |center: f64, length: usize| {
            center - side >= 0.0 && center + side < length as f64 - 1.0
        };
        let [nz, ny, nx] = grid.extent();
        let [z, y, x] = self.center;
        fits(y, ny) && fits(x, nx) && (Self::is_flat(grid) || fits(z, nz))
    }

    /// Whether no other blob lies within `gap` pixels.
    fn is_free(&self, grid: &Grid, gap: f64, labels: &[u32]) -> bool {
        let [_, ny, nx] = grid.extent();
        let [z, y, x] = self.center.map(|c| c.round() as usize);
        let reach = 1.0 + gap / self.short_radius();
        let mut free = labels[(z * ny + y) * nx + x] == 0;
        if free {
            self.visit(grid, gap, |i, rho| free &= rho > reach || labels[i] == 0);
        }
        free
    }

    /// Calls `visit` with position and rho, the distance from the centre in units of the outline's, of
    /// every pixel that may lie within `margin` pixels of the blob.
    fn visit(&self, grid: &Grid, margin: f64, mut visit: impl FnMut(usize, f64)) {
        let side = self.half_side(margin);
        let range = |center: f64, length: usize| {
            let end = ((center + side).ceil() + 1.0).clamp(0.0, length as f64) as usize;
            ((center - side).floor().max(0.0) as usize).min(end)..end
        };
        let [nz, ny, nx] = grid.extent();
        let [zc, yc, xc] = self.center;
        let (sin, cos) = self.angle.sin_cos();
        let layers = if Self::is_flat(grid) { 0..1 } else { range(zc, nz) };
        for z in layers {
            let w = if Self::is_flat(grid) { 0.0 } else { (z as f64 - zc) / self.short_radius() };
            for y in range(yc, ny) {
                for x in range(xc, nx) {
                    let (dy, dx) = (y as f64 - yc, x as f64 - xc);
                    let u = (dx * cos + dy * sin) / self.long_radius();
                    let v = (dy * cos - dx * sin) / self.short_radius();
                    let outline = 1.0 + self.wobble_at(v.atan2(u));
                    visit((z * ny + y) * nx + x, (u * u + v * v + w * w).sqrt() / outline);
                }
            }
        }
    }

    fn wobble_at(&self, angle: f64) -> f64 {
        let waves = self.wobble.iter().zip(N_WAVES);
        waves.map(|(wave, n)| wave.height * (n * angle + wave.phase).cos()).sum()
    }
}

fn between(stream: &mut Stream, low: f64, high: f64) -> f64 {
    low + (high - low) * stream.uniform()
}

fn number_in_raster_order(labels: &mut [u32], blobs: &mut [Blob]) {
    let mut renamed = vec![0; blobs.len() + 1];
    let mut n_seen = 0;
    for label in labels.iter_mut().filter(|l| **l != 0) {
        let new = &mut renamed[*label as usize];
        if *new == 0 {
            n_seen += 1;
            *new = n_seen;
        }
        *label = *new;
    }
    blobs.iter_mut().for_each(|blob| blob.label = renamed[blob.label as usize]);
    blobs.sort_by_key(|blob| blob.label);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_blob_is_there_and_has_its_size() {
        let blobs = Blobs::params().seed(3).make().unwrap();
        let pixels = blobs.labels.pixels();
        for blob in &blobs.truth {
            let area = pixels.iter().filter(|l| **l == blob.label).count() as f64;
            let expected = TAU / 2.0 * blob.radius * blob.radius;
            assert!((area / expected - 1.0).abs() < 0.2, "{blob:?}: {area} pixels, not {expected}");
        }
        assert!(
            blobs.truth.iter().any(|b| b.elongated) && blobs.truth.iter().any(|b| !b.elongated)
        );
    }

    #[test]
    fn blobs_touch_neither_each_other_nor_the_border() {
        let blobs =
            Blobs::params().shape(&[24, 90, 100]).n_objects(12).radius(3.0, 6.0).make().unwrap();
        let volume = blobs.labels.volume();
        let (nz, ny, nx) = volume.dim();
        for ((z, y, x), &label) in volume.indexed_iter().filter(|(_, l)| **l != 0) {
            assert!(z > 0 && z < nz - 1 && y > 0 && y < ny - 1 && x > 0 && x < nx - 1);
            let next = [volume[[z, y, x + 1]], volume[[z, y + 1, x]], volume[[z + 1, y, x]]];
            assert!(next.iter().all(|&l| l == 0 || l == label));
        }
    }

    #[test]
    fn the_seed_decides() {
        let make = |seed| Blobs::params().seed(seed).make().unwrap();
        assert_eq!(make(1).image, make(1).image);
        assert_ne!(make(1).labels, make(2).labels);
        let error = Blobs::params().n_objects(5000).make().unwrap_err();
        assert!(
            error.to_string().starts_with("n_objects = 5000 is invalid: must be at most about")
        );
    }
}
