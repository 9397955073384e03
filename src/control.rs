//! Acts on processes, and only on those a person confirmed.
