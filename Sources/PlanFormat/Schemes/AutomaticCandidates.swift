extension Scheme {
    /// What matrices may become where a user names no schemes: trellis codes up to 4 bits in half steps,
    /// evenly spaced levels from 5 bits on, and binary codes; embeddings also trellis codes with more bits
    /// for frequent rows.
    ///
    /// Trellis codes and integers are the lower hull of bytes and loss, as `sweep --signal fisher` estimates
    /// it, of every sublayer of a translation model of 128 channels, but that binary codes of 1 bit take the
    /// place of `tcq1` in some (`Reports/budgets.md`). Binary codes of 2 and 3 bits lose more at the same
    /// bytes and run faster (`bitplan-bench --only matvec`), so a limit of time may choose them. An embedding
    /// in clusters loses a fifth to a third less at the same bytes in two of three models and as much in the
    /// third; rare rows of 1.5 bits lose more where little text is counted
    /// (`Reports/embeddings.md`).
    public static let automatic: [Scheme] =
        (1...3).map { .binaryCodes(bits: $0, group: nil, alphas: .fp16) }
        + (2...8).map { .trellisCodes(pairBits: $0) }
        + [
            .trellisClusters(firstPairBits: 8, lastPairBits: 4, ratio: 4),
            .trellisClusters(firstPairBits: 8, lastPairBits: 4, ratio: 2),
            .trellisClusters(firstPairBits: 8, lastPairBits: 6, ratio: 2),
        ]
        + (5...6).map {
            .integer(bits: $0, symmetric: true, granularity: .row, scales: .fp16)
        }

    /// What is tried beside them where weights have outliers: trellis codes behind a rotation.
    ///
    /// In models without outliers a rotation gains nothing or loses (`Reports/trellis.md`).
    public static let automaticRotated: [Scheme] = (4...8).map { .trellisCodes(pairBits: $0, rotation: true) }

    /// Those of them that whole types are measured under, for people to read: trellis codes of whole bits.
    public static let automaticForTypes: [Scheme] = automatic.filter { scheme in
        if case .trellisCodes(let codes) = scheme { codes.pairBits % 2 == 0 } else { false }
    }
}
