extension Scheme {
    /// What matrices may become where a user names no schemes: those that lie on the lower hull of bytes and
    /// loss, as `sweep --signal fisher` estimates it, of nearly every sublayer of a translation model, a
    /// classifier and a language model of 128 channels.
    ///
    /// Scales are FP16, half the bytes of FP32. Up to 3 bits levels that are fitted to each row pay, at 4
    /// bits those of a normal distribution, from 5 bits on evenly spaced ones. Embeddings may also give
    /// frequent tokens more bits.
    public static let automatic: [Scheme] =
        (1...2).map { .binaryCodes(bits: $0, group: nil, alphas: .fp16) }
        + [integers(3), .binaryCodes(bits: 3, group: nil, alphas: .fp16)]
        + [.normalFloat4(block: 128, doubleQuantization: true), integers(5), integers(6)]
        + [clusters(3, ratio: 1), clusters(4, ratio: 2)]

    /// Those of them that whole types are measured under, for people to read.
    public static let automaticForTypes: [Scheme] = automatic.filter { scheme in
        switch scheme {
        case .binaryCodes, .normalFloat: true
        default: false
        }
    }

    private static func integers(_ bits: Int) -> Scheme {
        .integer(bits: bits, symmetric: true, granularity: .row, scales: .fp16)
    }

    private static func clusters(_ clusters: Int, ratio: Int) -> Scheme {
        .clusteredCodes(clusters: clusters, ratio: ratio, alphas: .fp16)
    }
}
