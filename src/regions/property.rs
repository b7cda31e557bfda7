//! What every column means: one record a property, read by `measure`, by `table` (roles, units, aliases) and by
//! `explore columns`. Records go in; names, units and columns come out through [`super::names`].

/// What a column is for; it decides whether the column enters the analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Says which object a row is.
    Key,
    /// Where the object lies; a place is not a trait of the object.
    Position,
    /// A direction, in radians or degrees: its mean and distance are not those of numbers on a line.
    Angle,
    /// A measurement that may enter the analysis.
    Feature,
    /// A coordinate on a map made from features.
    Embedding,
    /// What a person said about the object.
    Annotation,
    /// What an algorithm said about the object.
    Prediction,
    /// Where the row comes from: file, image, plate, date.
    Metadata,
}

impl Role {
    /// The word shown to people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Position => "position",
            Self::Angle => "angle",
            Self::Feature => "feature",
            Self::Embedding => "embedding",
            Self::Annotation => "annotation",
            Self::Prediction => "prediction",
            Self::Metadata => "metadata",
        }
    }
}

/// How a property scales with the unit of length and of intensity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A ratio, a count or a name.
    None,
    /// A number of pixels or a pixel index, whatever the spacing.
    Pixel,
    /// Length to this power; 0 where the power follows from the indices of the family.
    Length(u8),
    /// The unit of the intensity image.
    Intensity,
    /// Radians.
    Angle,
}

impl Unit {
    /// The unit when lengths are in `length` (`px`, `µm`), empty for none.
    ///
    /// ```
    /// use polariscope::regions::Unit;
    /// assert_eq!(Unit::Length(2).with("µm"), "µm²");
    /// assert_eq!(Unit::Angle.with("px"), "rad");
    /// ```
    pub fn with(self, length: &str) -> String {
        match self {
            Self::Length(1) => length.to_owned(),
            Self::Length(2) => format!("{length}²"),
            Self::Length(3) => format!("{length}³"),
            Self::Pixel => "px".to_owned(),
            Self::Angle => "rad".to_owned(),
            Self::Intensity => "a.u.".to_owned(),
            Self::None | Self::Length(_) => String::new(),
        }
    }
}

/// The images a property is defined for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dims {
    /// Planes only.
    Two,
    /// Stacks only.
    Three,
    /// Planes and stacks.
    Both,
}

impl Dims {
    /// Whether images of `ndim` axes have the property.
    pub fn contains(self, ndim: usize) -> bool {
        matches!((self, ndim), (Self::Both, 2 | 3) | (Self::Two, 2) | (Self::Three, 3))
    }
}

/// How one property spreads over several columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// One column.
    Single,
    /// One column an axis: `centroid_y`; scikit-image counts them: `centroid-0`.
    Axis,
    /// First and last-plus-one an axis: `bbox_x_min`; scikit-image: all first, then all last.
    Bounds,
    /// One column an axis, counted because they have no direction: `inertia_tensor_eigvals_0`.
    PerAxis,
    /// Counted from 0: `moments_hu_0`.
    Count(u8),
    /// Axis by axis: `inertia_tensor_0_1`.
    Matrix,
    /// A power from 0 to 3 an axis, in array order (y before x): `moments_2_0`.
    Powers,
    /// A percentage: `intensity_quantile_25`.
    Percent,
    /// Any number, because the family is recognised and not made here: `pca_0`.
    Any,
}

/// When a property is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Offer {
    /// Always, unless other properties are named.
    Core,
    /// With all properties, or by name.
    Extra,
    /// Never by this program; recognised in tables of other tools.
    Foreign,
}

/// One record: a property and all that people and programs need to know about it.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    /// The family's name in lower snake case; columns append their index.
    pub name: &'static str,
    /// The columns of the family.
    pub index: Index,
    /// The name in scikit-image's `regionprops_table`, empty if it has none.
    pub skimage: &'static str,
    /// The older word of the lecture's tables, empty if it is scikit-image's or this one.
    pub lecture: &'static str,
    /// Names in other tools, in [`super::normalized`] form or as written there.
    pub aliases: &'static [&'static str],
    /// How it scales.
    pub unit: Unit,
    /// What the column is for.
    pub role: Role,
    /// When it is measured.
    pub offer: Offer,
    /// Where it is defined.
    pub dims: Dims,
    /// Whether it needs an intensity image and is repeated for each channel.
    pub intensity: bool,
    /// One or two sentences: what it is, and what odd objects give.
    pub definition: &'static str,
    /// The values it can take.
    pub range: &'static str,
    /// Whose definition it is.
    pub source: &'static str,
}

impl Property {
    /// Whether [`Offer::Core`].
    pub fn is_core(&self) -> bool {
        self.offer == Offer::Core
    }

    const fn dims(self, dims: Dims) -> Self {
        Self { dims, ..self }
    }
    const fn role(self, role: Role) -> Self {
        Self { role, ..self }
    }
    const fn by(self, index: Index) -> Self {
        Self { index, ..self }
    }
    /// scikit-image's name where it differs from ours.
    const fn sk(self, skimage: &'static str) -> Self {
        Self { skimage, ..self }
    }
    /// Not in scikit-image: its definition comes from elsewhere.
    const fn from(self, source: &'static str) -> Self {
        Self { skimage: "", source, ..self }
    }
    const fn old(self, lecture: &'static str) -> Self {
        Self { lecture, ..self }
    }
    const fn also(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }
    const fn says(self, definition: &'static str, range: &'static str) -> Self {
        Self { definition, range, ..self }
    }
}

const fn core(name: &'static str, unit: Unit) -> Property {
    Property {
        name,
        index: Index::Single,
        skimage: name,
        lecture: "",
        aliases: &[],
        unit,
        role: Role::Feature,
        offer: Offer::Core,
        dims: Dims::Both,
        intensity: false,
        definition: "",
        range: "",
        source: "scikit-image",
    }
}

const fn extra(name: &'static str, unit: Unit) -> Property {
    Property { offer: Offer::Extra, ..core(name, unit) }
}

const fn foreign(name: &'static str, unit: Unit, role: Role) -> Property {
    Property { offer: Offer::Foreign, role, skimage: "", source: "other tools", ..core(name, unit) }
}

const fn lit(property: Property) -> Property {
    Property { intensity: true, ..property }
}

use Dims::{Three, Two};
use Index::{Any, Axis, Bounds, Count, Matrix, PerAxis, Percent, Powers};
use Role::{Angle, Annotation, Embedding, Key, Metadata, Position, Prediction};

const OURS: &str = "polariscope";

/// Every property, in the order of the columns of a full table.
#[rustfmt::skip]
pub static PROPERTIES: &[Property] = &[
    core("label", Unit::None).role(Key).says("The object's number in the label image.", "1 to 4294967295")
        .also(&["ObjectNumber", "Number_Object_Number", "object_id", "object id", "labelimage_oid", "cell_id", "nucleus_id", "id", "index", "roi", "object", "ID"]),
    core("area", Unit::Length(2)).dims(Two).says("Area of the pixels of the object: their number times the area of a pixel.", "> 0")
        .also(&["AreaShape_Area", "Size in pixels", "object_area", "Nucleus_Area", "Cell_Area", "physical_size", "pixel_count"]),
    core("volume", Unit::Length(3)).dims(Three).sk("area").says("Volume of the voxels of the object: their number times the volume of a voxel.", "> 0")
        .also(&["AreaShape_Volume", "vol", "Size in voxels", "Volume (unit)"]),
    core("num_pixels", Unit::Pixel).role(Metadata).says("Number of pixels (voxels).", "1 and more")
        .also(&["number_of_pixels", "voxel_count", "n_pixels", "Num pixels", "npixels"]),
    core("area_bbox", Unit::Length(2)).dims(Two).old("bbox_area").says("Area of the bounding box.", ">= area")
        .also(&["AreaShape_BoundingBoxArea"]),
    core("volume_bbox", Unit::Length(3)).dims(Three).sk("area_bbox").old("bbox_area").says("Volume of the bounding box.", ">= volume")
        .also(&["AreaShape_BoundingBoxVolume"]),
    core("area_convex", Unit::Length(2)).dims(Two).old("convex_area").says("Area of the pixels whose centre lies in the convex hull of the midpoints of all pixel edges.", ">= area")
        .also(&["AreaShape_ConvexArea", "ConvexHullArea", "Convex hull area"]),
    core("volume_convex", Unit::Length(3)).dims(Three).sk("area_convex").old("convex_area").says("Volume of the voxels whose centre lies in the convex hull of the midpoints of all voxel faces.", ">= volume")
        .also(&["AreaShape_ConvexVolume"]),
    extra("area_filled", Unit::Length(2)).dims(Two).old("filled_area").says("Area with holes filled; background that reaches the outside only over a corner still reaches it.", ">= area"),
    extra("volume_filled", Unit::Length(3)).dims(Three).sk("area_filled").old("filled_area").says("Volume with cavities filled; background that reaches the outside only over an edge or corner still reaches it.", ">= volume"),
    core("equivalent_diameter_area", Unit::Length(1)).dims(Two).old("equivalent_diameter").says("Diameter of the disc of the same area.", "> 0")
        .also(&["AreaShape_EquivalentDiameter", "EquivDiameter"]),
    core("equivalent_diameter_volume", Unit::Length(1)).dims(Three).sk("equivalent_diameter_area").old("equivalent_diameter").says("Diameter of the ball of the same volume.", "> 0"),
    core("axis_major_length", Unit::Length(1)).old("major_axis_length").says("Length of the long axis of the ellipse (ellipsoid) with the same second central moments; one pixel gives 0. Pixels count as points: no 1/12 for their extent.", ">= 0")
        .also(&["AreaShape_MajorAxisLength", "Major", "equivalent_ellipsoid_diameter_1"]),
    core("axis_minor_length", Unit::Length(1)).old("minor_axis_length").says("Length of the short axis of the ellipse (ellipsoid) with the same second central moments; a line gives 0. Pixels count as points: no 1/12 for their extent.", ">= 0")
        .also(&["AreaShape_MinorAxisLength", "Minor", "equivalent_ellipsoid_diameter_0"]),
    core("aspect_ratio", Unit::None).from("napari-skimage-regionprops").says("Long axis over short axis; null for a line or a single pixel.", ">= 1")
        .also(&["AR", "AreaShape_AspectRatio"]),
    core("elongation", Unit::None).from("lecture").says("1 - short axis / long axis; null for a single pixel.", "0 to 1"),
    core("eccentricity", Unit::None).dims(Two).says("Eccentricity of the ellipse with the same second central moments: 0 for a circle, 1 for a line; one pixel gives 0.", "0 to 1")
        .also(&["AreaShape_Eccentricity"]),
    core("orientation", Unit::Angle).role(Angle).dims(Two).says("Angle between the rows' axis (y) and the long axis, counter-clockwise. Undefined for equal axes, where scikit-image's +-pi/4 is given.", "-pi/2 to pi/2")
        .also(&["AreaShape_Orientation", "FeretAngle", "Angle"]),
    core("perimeter", Unit::Length(1)).dims(Two).says("Length of the line through the centres of the border pixels (4-connected erosion), by 3 x 3 codes with weights 1, sqrt 2 and (1 + sqrt 2)/2; a single pixel gives 0. Needs equal spacing, else null.", ">= 0")
        .also(&["AreaShape_Perimeter", "Perim.", "Perim", "Length"]),
    core("perimeter_crofton", Unit::Length(1)).dims(Two).says("Perimeter by the Crofton formula in four directions. Needs equal spacing, else null.", "> 0"),
    core("surface_area", Unit::Length(2)).dims(Three).from(OURS).says("Surface by the Crofton formula: crossings along 13 directions, weighted with the solid angle each stands for (Lehmann and Legland 2012).", "> 0")
        .also(&["AreaShape_SurfaceArea", "surface"]),
    core("circularity", Unit::None).dims(Two).from("napari-skimage-regionprops").says("4 pi area / perimeter^2. Small objects exceed 1 because the perimeter runs through pixel centres; null where the perimeter is 0.", "> 0, may exceed 1")
        .also(&["Circ.", "Circ", "AreaShape_FormFactor", "form_factor"]),
    core("roundness", Unit::None).dims(Two).from("napari-skimage-regionprops").says("4 area / (pi axis_major_length^2); null for a single pixel.", "> 0")
        .also(&["Round", "roundness_ij"]),
    core("extent", Unit::None).says("Share of the bounding box that the object fills.", "0 to 1")
        .also(&["AreaShape_Extent"]),
    core("solidity", Unit::None).says("Share of the convex hull that the object fills.", "0 to 1")
        .also(&["AreaShape_Solidity"]),
    core("feret_diameter_max", Unit::Length(1)).says("Largest distance between two points on the half-level contour of the convex hull image.", "> 0")
        .also(&["Feret", "AreaShape_MaxFeretDiameter", "Max diameter", "feret_diameter", "max_feret_diameter", "Max caliper", "MaxFeretDiameter"]),
    core("feret_diameter_min", Unit::Length(1)).from(OURS).says("Smallest distance between two parallel lines (planes in 3D) that enclose the half-level contour of the convex hull image.", "> 0")
        .also(&["MinFeret", "AreaShape_MinFeretDiameter", "Min diameter", "min_feret_diameter", "Min caliper", "MinFeretDiameter"]),
    core("euler_number", Unit::None).says("Connected pieces minus holes (plus cavities in 3D), pieces connected over corners.", "an integer")
        .also(&["AreaShape_EulerNumber"]),
    core("centroid", Unit::Length(1)).role(Position).by(Axis).says("Mean coordinate of the pixels.", "inside the image")
        .also(&["AreaShape_Center", "Location_Center", "Centroid", "Center of the object"]),
    extra("centroid_local", Unit::Length(1)).role(Position).by(Axis).old("local_centroid").says("Centroid counted from the corner of the bounding box.", ">= 0"),
    core("bbox", Unit::Pixel).role(Position).by(Bounds).says("First index of the bounding box, and one past the last.", "0 to the size of the image")
        .also(&["AreaShape_BoundingBox", "Bounding Box"]),
    lit(core("intensity_mean", Unit::Intensity)).old("mean_intensity").says("Mean intensity of the pixels.", "any")
        .also(&["Intensity_MeanIntensity", "Mean", "Mean Intensity", "mean gray value", "mean_intensity"]),
    lit(core("intensity_std", Unit::Intensity)).old("standard_deviation_intensity").says("Standard deviation of the intensity over the pixels, divided by n.", ">= 0")
        .also(&["Intensity_StdIntensity", "StdDev", "sigma", "Std dev", "std_intensity"]),
    lit(core("intensity_min", Unit::Intensity)).old("min_intensity").says("Smallest intensity.", "any")
        .also(&["Intensity_MinIntensity", "Min", "minimum", "Minimum intensity", "minimum_intensity"]),
    lit(core("intensity_max", Unit::Intensity)).old("max_intensity").says("Largest intensity.", "any")
        .also(&["Intensity_MaxIntensity", "Max", "maximum", "Maximum intensity", "maximum_intensity"]),
    lit(extra("intensity_sum", Unit::Intensity)).from(OURS).says("Sum of the intensity of the pixels.", "any")
        .also(&["Intensity_IntegratedIntensity", "RawIntDen", "IntDen", "sum", "sum_intensity", "Total Intensity"]),
    lit(extra("intensity_median", Unit::Intensity)).says("Median intensity, exact; the mean of the middle two for an even number.", "any")
        .also(&["Intensity_MedianIntensity", "Median"]),
    lit(extra("intensity_quantile", Unit::Intensity)).by(Percent).from(OURS).says("Exact quantile of the intensity, linear between order statistics as numpy's.", "any")
        .also(&["Intensity_LowerQuartileIntensity"]),
    lit(extra("centroid_weighted", Unit::Length(1))).role(Position).by(Axis).old("weighted_centroid").says("Centroid with the intensity as weight; null where the weights sum to 0.", "any")
        .also(&["Location_CenterMassIntensity", "mass_center"]),
    lit(extra("centroid_weighted_local", Unit::Length(1))).role(Position).by(Axis).old("weighted_local_centroid").says("Weighted centroid counted from the corner of the bounding box.", "any"),
    extra("inertia_tensor", Unit::Length(2)).by(Matrix).says("Inertia tensor of the pixels as points, divided by their number.", "any")
        .also(&["AreaShape_InertiaTensor"]),
    extra("inertia_tensor_eigvals", Unit::Length(2)).by(PerAxis).says("Eigenvalues of the inertia tensor, largest first.", ">= 0")
        .also(&["AreaShape_InertiaTensorEigenvalues"]),
    extra("moments", Unit::Length(0)).by(Powers).says("Sum over the pixels of the coordinates to these powers, counted from the corner of the bounding box.", ">= 0")
        .also(&["AreaShape_SpatialMoment"]),
    extra("moments_central", Unit::Length(0)).by(Powers).says("Moments about the centroid.", "any")
        .also(&["AreaShape_CentralMoment"]),
    extra("moments_normalized", Unit::None).by(Powers).says("Central moments made independent of size; null below order 2.", "any")
        .also(&["AreaShape_NormalizedMoment"]),
    extra("moments_hu", Unit::None).dims(Two).by(Count(7)).says("Hu's moments: independent of place, size and rotation. Null where the spacing is not 1.", "any")
        .also(&["AreaShape_HuMoment"]),
    lit(extra("moments_weighted", Unit::Length(0))).by(Powers).old("weighted_moments").says("Moments with the intensity as weight.", "any"),
    lit(extra("moments_weighted_central", Unit::Length(0))).by(Powers).old("weighted_moments_central").says("Weighted moments about the weighted centroid.", "any"),
    lit(extra("moments_weighted_normalized", Unit::None)).by(Powers).old("weighted_moments_normalized").says("Weighted central moments made independent of size; null below order 2.", "any"),
    lit(extra("moments_weighted_hu", Unit::None)).dims(Two).by(Count(7)).old("weighted_moments_hu").says("Hu's moments with the intensity as weight. Null where the spacing is not 1.", "any"),
    lit(extra("haralick", Unit::None)).by(Count(13)).from("Haralick 1973, as mahotas").says("Haralick's texture features 1 to 13 (counted from 0), from co-occurrences at distance 1 of 32 equal grey levels between the object's minimum and maximum, both pixels inside, symmetric, mean over directions.", "any")
        .also(&["Texture"]),
    extra("touching_neighbor_count", Unit::None).from("clEsperanto").says("Number of other objects that share a pixel edge (face) with this one.", "0 and more")
        .also(&["Neighbors_NumberOfNeighbors", "touching_neighbors"]),
    extra("contact_length", Unit::Length(0)).from(OURS).says("Length (surface in 3D) of the pixel edges (faces) shared with other objects.", ">= 0"),
    extra("nearest_neighbor_distance", Unit::Length(1)).role(Role::Feature).by(Count(6)).from("clEsperanto").says("Mean distance between the centroid and those of the nearest objects: the nearest 1, 2, ... 6.", "> 0")
        .also(&["Neighbors_FirstClosestDistance"]),
    extra("distance_to_centroid_max", Unit::Length(1)).from("clEsperanto").says("Largest distance of a pixel centre from the centroid.", ">= 0")
        .also(&["max_distance_to_centroid", "AreaShape_MaximumRadius"]),
    extra("distance_to_centroid_mean", Unit::Length(1)).from("clEsperanto").says("Mean distance of the pixel centres from the centroid.", ">= 0")
        .also(&["mean_distance_to_centroid", "AreaShape_MeanRadius"]),
    extra("distance_to_centroid_max_mean_ratio", Unit::None).from("clEsperanto").says("distance_to_centroid_max / distance_to_centroid_mean; null for a single pixel. clEsperanto calls it mean_max_distance_to_centroid_ratio, the wrong way round.", ">= 1")
        .also(&["mean_max_distance_to_centroid_ratio"]),
    foreign("image", Unit::None, Metadata).says("The image, file or field the object comes from.", "any")
        .also(&["ImageNumber", "Image_Number", "file", "filename", "file_name", "path", "source", "Metadata", "well", "plate", "site", "slice", "frame", "timepoint", "parent", "experiment", "sample", "date", "object type", "timestep"]),
    foreign("position", Unit::Length(1), Position).by(Axis).says("A coordinate.", "any")
        .also(&["x", "y", "z", "xm", "ym", "bx", "by", "feretx", "ferety", "width", "height"]),
    foreign("intensity_other", Unit::Intensity, Role::Feature).says("An intensity statistic of another tool.", "any")
        .also(&["mode", "skew", "kurt", "%area", "variance"]),
    foreign("class", Unit::None, Annotation).says("What a person said the object is.", "any")
        .also(&["annotation", "ground_truth", "target", "user label", "true_class", "treatment", "condition", "group", "genotype"]),
    foreign("cluster", Unit::None, Prediction).says("The group an algorithm put the object in.", "any")
        .also(&["classification", "predicted", "prediction", "predicted class", "predicted_cluster", "cluster_id", "kmeans", "hdbscan", "selection", "cluster_confidence", "manual_cluster_id", "stability"]),
    foreign("probability", Unit::None, Prediction).by(Any).says("The probability of a class.", "0 to 1"),
    foreign("distance_to_center", Unit::None, Prediction).by(Any).says("Distance to the centre of a cluster.", ">= 0"),
    foreign("pca", Unit::None, Embedding).by(Any).says("A principal component.", "any").also(&["pc", "principal_component"]),
    foreign("umap", Unit::None, Embedding).by(Any).says("A coordinate of a UMAP.", "any"),
    foreign("tsne", Unit::None, Embedding).by(Any).says("A coordinate of a t-SNE.", "any").also(&["t-sne", "tsne"]),
];
