//! Groups of objects: K-means, the choice of k, and how two groupings agree.
