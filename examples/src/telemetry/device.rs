//! What a device is to the server, and one to try it with.

use core::cell::RefCell;

use super::message::{Access, Entry, Name};

/// Something with named readings.
///
/// Readings are numbered from 0 without a gap, and the numbering never changes. Names differ from each other.
///
/// ```
/// use tacket_examples::telemetry::{Access, Device, Entry, Name};
///
/// struct Counter(i32);
///
/// impl Device for Counter {
///     fn entry(&self, index: usize) -> Option<Entry> {
///         let name = Name::new("count")?;
///         (index == 0).then_some(Entry { name, access: Access::ReadOnly })
///     }
///     fn read(&mut self, _: usize) -> i32 {
///         self.0 += 1000;
///         self.0
///     }
///     fn set(&mut self, _: usize, _: i32) {}
/// }
/// assert_eq!(Counter(0).read(0), 1000);
/// ```
pub trait Device {
    /// The name and access of a reading; `None` past the last.
    fn entry(&self, index: usize) -> Option<Entry>;

    /// The value now, in thousandths of the unit. Only asked for readings that [`entry`](Self::entry) knows.
    fn read(&mut self, index: usize) -> i32;

    /// Changes a value. Only asked for writable readings, with values in their range.
    fn set(&mut self, index: usize, value: i32);
}

/// One device for several sessions.
impl<D: Device> Device for &RefCell<D> {
    fn entry(&self, index: usize) -> Option<Entry> {
        self.borrow().entry(index)
    }

    fn read(&mut self, index: usize) -> i32 {
        self.borrow_mut().read(index)
    }

    fn set(&mut self, index: usize, value: i32) {
        self.borrow_mut().set(index, value);
    }
}

/// A heater without a room: `temperature` closes in on `setpoint`, and then hovers about it.
///
/// It knows no time. Each reading of the temperature moves it a step, never by nothing, the same from the same start.
///
/// ```
/// use tacket_examples::telemetry::{Device, Thermostat};
/// let mut thermostat = Thermostat::new();
/// assert_ne!(thermostat.read(0), thermostat.read(0));
/// ```
#[derive(Clone, Debug)]
pub struct Thermostat {
    temperature: i32,
    setpoint: i32,
}

impl Thermostat {
    /// The name of the reading that cannot be set.
    pub const TEMPERATURE: Name = Name::literal("temperature");

    /// The name of the reading that can.
    pub const SETPOINT: Name = Name::literal("setpoint");

    /// Its readings: the temperature, and the setpoint from 5 to 30 degrees.
    pub const ENTRIES: [Entry; 2] = [
        Entry {
            name: Self::TEMPERATURE,
            access: Access::ReadOnly,
        },
        Entry {
            name: Self::SETPOINT,
            access: Access::Writable {
                least: 5_000,
                greatest: 30_000,
            },
        },
    ];

    /// At 16 degrees, told to make it 20.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            temperature: 16_000,
            setpoint: 20_000,
        }
    }
}

impl Default for Thermostat {
    fn default() -> Self {
        Self::new()
    }
}

impl Device for Thermostat {
    fn entry(&self, index: usize) -> Option<Entry> {
        Self::ENTRIES.get(index).copied()
    }

    fn read(&mut self, index: usize) -> i32 {
        if index != 0 {
            return self.setpoint;
        }
        self.temperature += match self.setpoint - self.temperature {
            0 => 50,
            gap => gap / 4 + gap.signum(),
        };
        self.temperature
    }

    fn set(&mut self, _: usize, value: i32) {
        self.setpoint = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_temperature_reaches_the_setpoint_and_never_stands_still() {
        let mut thermostat = Thermostat::new();
        for setpoint in [20_000, 5_000, 30_000] {
            thermostat.set(1, setpoint);
            let (mut before, mut reached) = (thermostat.read(0), false);
            for _ in 0..100 {
                let now = thermostat.read(0);
                assert_ne!(now, before);
                reached |= now == setpoint;
                before = now;
            }
            assert!(reached);
            assert!((before - setpoint).abs() <= 50);
        }
    }
}
