//! A point on the globe and the distance between two.

use super::number::float_text;

/// The mean radius of the Earth in metres.
///
/// The rules reference promises metres and no more; this is the value of Google's geometry library and of the search
/// service App Engine emulates. A neighbouring model (a spheroid, another mean) differs by some parts in a thousand.
const EARTH_RADIUS_M: f64 = 6_371_009.0;

/// Degrees north and east.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatLng {
    latitude: f64,
    longitude: f64,
}

/// The numbers are no point; the text is production's.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "Latitude should be in [-90,90] range and longitude should be in [-180,180] range. latitude: {}, longitude: {}.",
    float_text(*latitude),
    float_text(*longitude)
)]
pub struct LatLngError {
    /// The latitude given.
    pub latitude: f64,
    /// The longitude given.
    pub longitude: f64,
}

impl LatLng {
    /// `latlng.value(latitude, longitude)`; neither may be out of range or not a number.
    pub fn new(latitude: f64, longitude: f64) -> Result<Self, LatLngError> {
        if (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude) {
            Ok(Self { latitude, longitude })
        } else {
            Err(LatLngError { latitude, longitude })
        }
    }

    /// Degrees north of the equator.
    pub fn latitude(self) -> f64 {
        self.latitude
    }

    /// Degrees east of Greenwich.
    pub fn longitude(self) -> f64 {
        self.longitude
    }

    /// Metres to the other point along a great circle (haversine).
    pub fn distance(self, other: Self) -> f64 {
        let (lat, other_lat) = (self.latitude.to_radians(), other.latitude.to_radians());
        let lat_sin = ((other_lat - lat) / 2.0).sin();
        let lng_sin = ((other.longitude - self.longitude).to_radians() / 2.0).sin();
        let chord = lat_sin * lat_sin + lng_sin * lng_sin * lat.cos() * other_lat.cos();
        2.0 * EARTH_RADIUS_M * chord.min(1.0).sqrt().asin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_error_text() {
        assert_eq!(
            LatLng::new(-100.0, -122.08).unwrap_err().to_string(),
            "Latitude should be in [-90,90] range and longitude should be in [-180,180] range. \
             latitude: -100.0, longitude: -122.08."
        );
        assert!(LatLng::new(f64::NAN, 0.0).is_err());
        assert!(LatLng::new(90.0, -180.0).is_ok());
        assert!(LatLng::new(0.0, 180.1).is_err());
    }

    #[test]
    fn distances() {
        let point = |lat, lng| LatLng::new(lat, lng).unwrap();
        assert_eq!(point(12.0, 34.0).distance(point(12.0, 34.0)), 0.0);
        let half = std::f64::consts::PI * EARTH_RADIUS_M;
        assert!((point(0.0, 0.0).distance(point(0.0, 180.0)) - half).abs() < 1e-6);
        assert!((point(90.0, 0.0).distance(point(-90.0, 77.0)) - half).abs() < 1e-6);
        // Across the date line, two degrees apart.
        let near = point(0.0, 179.0).distance(point(0.0, -179.0));
        assert!((near - half / 90.0).abs() < 1e-6);
        // Paris to London, about 344 km.
        let paris_london = point(48.8566, 2.3522).distance(point(51.5074, -0.1278));
        assert!((343_000.0..345_000.0).contains(&paris_london));
    }
}
