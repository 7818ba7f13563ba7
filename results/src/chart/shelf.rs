//! A row of labels: each takes the room it needs, and none ever stands on another.

/// The least distance between two labels.
const BETWEEN: f64 = 4.0;

/// What is taken of a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    /// Left and right edge of each label.
    taken: Vec<(f64, f64)>,
}

impl Shelf {
    /// Takes the room from `left` to `right`; refuses where some of it is taken.
    pub(super) fn claim(&mut self, left: f64, right: f64) -> bool {
        let apart = |other: &(f64, f64)| right + BETWEEN <= other.0 || other.1 + BETWEEN <= left;
        let free = self.taken.iter().all(apart);
        if free {
            self.taken.push((left, right));
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_once() {
        let mut shelf = Shelf::default();
        assert!(shelf.claim(10.0, 20.0));
        assert!(!shelf.claim(19.0, 30.0));
        assert!(!shelf.claim(12.0, 13.0));
        assert!(!shelf.claim(0.0, 30.0));
        assert!(shelf.claim(24.0, 30.0), "what was refused takes nothing");
        assert!(shelf.claim(0.0, 6.0));
        assert!(!shelf.claim(0.0, 6.0));
    }
}
