//! What OME, ImageJ and tifffile write about a TIFF file becomes its axes, channel names and spacing.

use crate::error::{Error, Result};

/// The meaning of the pages of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axes {
    pub n_layers: usize,
    pub n_channels: usize,
    /// Whether consecutive pages are channels (rather than layers).
    pub channels_first: bool,
    /// Whether a single layer still counts as a stack.
    pub channel_names: Vec<String>,
    /// Spacing along z, y, x where it is known, and its unit.
    pub spacing: [f64; 3],
    pub unit: Option<String>,
    /// Whether the description must account for every page.
    pub n_images: usize,
}

impl Axes {
    /// Pages that nobody describes are layers.
    pub(super) fn layers(n_pages: usize) -> Self {
        Self {
            n_layers: n_pages,
            n_channels: 1,
            channels_first: false,
            channel_names: Vec::new(),
            spacing: [1.0; 3],
            unit: None,
            n_images: 1,
        }
    }

    /// The page of a channel and layer.
    pub(super) fn page(&self, channel: usize, layer: usize) -> usize {
        if self.channels_first {
            layer * self.n_channels + channel
        } else {
            channel * self.n_layers + layer
        }
    }
}

/// Reads the description of the first page. `resolution` is pixels per unit along y and x.
pub(super) fn axes(description: &str, n_pages: usize, resolution: [f64; 2]) -> Result<Axes> {
    if description.trim_end().ends_with("OME>") {
        ome(description)
    } else if description.starts_with("ImageJ=") {
        imagej(description, n_pages, resolution)
    } else if description.starts_with("{\"shape\":") {
        shaped(description, n_pages)
    } else {
        Ok(Axes::layers(n_pages))
    }
}

fn ome(xml: &str) -> Result<Axes> {
    let pixels =
        element(xml, "Pixels").ok_or_else(|| Error::format("its OME-XML has no Pixels"))?;
    let size = |axis: &str| -> Result<usize> {
        let name = format!("Size{axis}");
        match attribute(pixels, &name).map(|v| v.parse::<usize>()) {
            Some(Ok(n)) if n > 0 => Ok(n),
            None if axis == "Z" || axis == "C" || axis == "T" => Ok(1),
            _ => Err(Error::format(format!("its OME-XML has no valid {name}"))),
        }
    };
    one_time_point(size("T")?)?;
    let order = attribute(pixels, "DimensionOrder").unwrap_or_else(|| "XYZCT".into());
    let spacings = ["Z", "Y", "X"].map(|axis| {
        let value = attribute(pixels, &format!("PhysicalSize{axis}"))?.parse::<f64>().ok()?;
        let unit = attribute(pixels, &format!("PhysicalSize{axis}Unit"));
        Some((value, unit.unwrap_or_else(|| "µm".into())))
    });
    let [_, _, x] = &spacings;
    let unit = x.as_ref().map(|(_, unit)| unit.clone()).filter(|u| u != "pixel");
    let spacing = spacings.map(|axis| {
        axis.map_or(1.0, |(value, from)| value * in_unit(&from, unit.as_deref().unwrap_or("pixel")))
    });
    Ok(Axes {
        n_layers: size("Z")?,
        n_channels: size("C")?,
        channels_first: order.find('C') < order.find('Z'),
        channel_names: channel_names(xml),
        spacing: spacing.map(usable),
        unit,
        n_images: xml.matches("<Pixels ").count(),
    })
}

fn imagej(text: &str, n_pages: usize, resolution: [f64; 2]) -> Result<Axes> {
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::trim)
    };
    let count = |key: &str| value(key).and_then(|v| v.parse::<usize>().ok()).filter(|n| *n > 0);
    one_time_point(count("frames").unwrap_or(1))?;
    let n_images = count("images").unwrap_or(n_pages);
    let n_channels = count("channels").unwrap_or(1);
    let n_layers = count("slices").unwrap_or_else(|| (n_images / n_channels).max(1));
    let spacing = value("spacing").and_then(|v| v.parse::<f64>().ok()).map_or(1.0, f64::abs);
    let unit = value("unit").map(|unit| unit.replace("\\u00B5", "µ"));
    let unit = unit.map(|unit| if unit == "um" || unit == "micron" { "µm".into() } else { unit });
    let [per_y, per_x] = resolution;
    Ok(Axes {
        n_layers,
        n_channels,
        channels_first: true,
        spacing: [spacing, 1.0 / per_y, 1.0 / per_x].map(usable),
        unit: unit.filter(|u| !u.is_empty() && !u.starts_with("pixel")),
        ..Axes::layers(n_pages)
    })
}

/// tifffile's own description: `{"shape": [5, 20, 30]}`, perhaps with `"axes": "ZYX"`.
fn shaped(json: &str, n_pages: usize) -> Result<Axes> {
    let described: serde_json::Value = match serde_json::from_str(json) {
        Ok(value) => value,
        Err(_) => return Ok(Axes::layers(n_pages)),
    };
    let lengths: Vec<usize> = described["shape"]
        .as_array()
        .map(|lengths| {
            lengths.iter().filter_map(serde_json::Value::as_u64).map(|n| n as usize).collect()
        })
        .unwrap_or_default();
    let Some(names) = described["axes"].as_str().filter(|names| names.len() == lengths.len())
    else {
        if lengths.iter().filter(|n| **n > 1).count() > 3 && n_pages > 1 {
            return Err(Error::format(format!("its shape {lengths:?} has more than three axes"))
                .help("save single channels and time points as (z, y, x)"));
        }
        return Ok(Axes::layers(n_pages));
    };
    let length = |axis: char| names.find(axis).map_or(1, |i| lengths[i].max(1));
    one_time_point(length('T'))?;
    Ok(Axes {
        n_layers: length('Z'),
        n_channels: length('C'),
        channels_first: names.find('Z') < names.find('C'),
        ..Axes::layers(n_pages)
    })
}

pub(super) fn one_time_point(count: usize) -> Result<()> {
    if count == 1 {
        return Ok(());
    }
    Err(Error::format(format!("the file holds {count} time points"))
        .help("save one time point as an image of its own"))
}

/// A spacing that a program left at zero or garbled says nothing.
pub(super) fn usable(spacing: f64) -> f64 {
    if spacing.is_finite() && spacing > 0.0 { spacing } else { 1.0 }
}

/// How many of unit `to` one unit `from` is; 1 when either is not a length.
pub(super) fn in_unit(from: &str, to: &str) -> f64 {
    let metres = |unit: &str| match unit {
        "pm" => Some(1e-12),
        "Å" => Some(1e-10),
        "nm" => Some(1e-9),
        "µm" | "um" | "μm" => Some(1e-6),
        "mm" => Some(1e-3),
        "cm" => Some(1e-2),
        "m" => Some(1.0),
        _ => None,
    };
    match (metres(from), metres(to)) {
        (Some(a), Some(b)) if a != b => a / b,
        _ => 1.0,
    }
}

fn channel_names(xml: &str) -> Vec<String> {
    let end = xml.find("</Pixels>").unwrap_or(xml.len());
    let tags = xml[..end].split("<Channel ").skip(1);
    tags.map(|tag| attribute(&tag[..tag.find('>').unwrap_or(0)], "Name").unwrap_or_default())
        .collect()
}

/// The attributes of the first element of this name.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let start = xml.find(&format!("<{name} "))? + name.len() + 2;
    Some(&xml[start..start + xml[start..].find('>')?])
}

fn attribute(attributes: &str, name: &str) -> Option<String> {
    let mut rest = attributes;
    loop {
        let at = rest.find(name)?;
        let starts = at == 0 || rest[..at].ends_with(char::is_whitespace);
        let after = rest[at + name.len()..].trim_start();
        if let Some(value) = after.strip_prefix('=').filter(|_| starts) {
            let value = value.trim_start();
            let quote = value.chars().next().filter(|q| *q == '"' || *q == '\'')?;
            let value = &value[1..];
            return Some(unescape(&value[..value.find(quote)?]));
        }
        rest = &rest[at + name.len()..];
    }
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&#181;", "µ")
        .replace("&#xB5;", "µ")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ome_tells_axes_names_and_spacing() {
        let xml = r#"<?xml version="1.0"?><OME><Image><Pixels DimensionOrder="XYCZT" SizeX="4"
            SizeY="3" SizeZ="5" SizeC="2" SizeT="1" PhysicalSizeX="0.25" PhysicalSizeXUnit="&#181;m"
            PhysicalSizeY="0.25" PhysicalSizeZ="1000" PhysicalSizeZUnit="nm"><Channel Name="DAPI"/>
            <Channel ID="c"/><TiffData/></Pixels></Image></OME>"#;
        let axes = axes(xml, 10, [1.0; 2]).unwrap();
        assert_eq!((axes.n_layers, axes.n_channels, axes.page(1, 2)), (5, 2, 5));
        assert_eq!(axes.channel_names, ["DAPI", ""]);
        assert!((axes.spacing[0] - 1.0).abs() < 1e-12 && axes.spacing[1..] == [0.25, 0.25]);
        assert_eq!(axes.unit.as_deref(), Some("µm"));
    }

    #[test]
    fn imagej_and_tifffile_tell_axes() {
        let text = "ImageJ=1.54f\nimages=6\nchannels=2\nslices=3\nunit=\\u00B5m\nspacing=2.5\n";
        let stack = axes(text, 6, [4.0, 4.0]).unwrap();
        assert_eq!((stack.n_layers, stack.n_channels, stack.channels_first), (3, 2, true));
        assert_eq!((stack.spacing, stack.unit.as_deref()), ([2.5, 0.25, 0.25], Some("µm")));
        assert!(axes("ImageJ=1\nimages=4\nframes=4\n", 4, [0.0; 2]).is_err());
        assert_eq!(axes("{\"shape\": [5, 20, 30]}", 5, [1.0; 2]).unwrap().n_layers, 5);
        let named = axes("{\"shape\": [3, 20, 30], \"axes\": \"CYX\"}", 3, [1.0; 2]).unwrap();
        assert_eq!((named.n_layers, named.n_channels), (1, 3));
        assert!(axes("{\"shape\": [2, 3, 20, 30]}", 6, [1.0; 2]).is_err());
    }
}
