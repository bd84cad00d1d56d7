import PlanFormat

extension Scheme {
    /// The scheme that stands for all that run the same instructions on as many bytes of codes: how scales are stored does not
    /// matter, for they are read once.
    package var kernel: Scheme {
        switch self {
        case .binaryCodes(let bits, let group, _): .binaryCodes(bits: bits, group: group, alphas: .fp32)
        case .clusteredCodes(let clusters, let ratio, _):
            .clusteredCodes(clusters: clusters, ratio: ratio, alphas: .fp32)
        case .integer(let bits, let symmetric, .group(let width), _):
            .integer(bits: bits, symmetric: symmetric, granularity: .group(width), scales: .fp32)
        case .integer(let bits, let symmetric, _, _):
            .integer(bits: bits, symmetric: symmetric, granularity: .row, scales: .fp32)
        case .normalFloat4(let block, _): .normalFloat4(block: block, doubleQuantization: false)
        case .productCodes(let block, let centroids, _):
            .productCodes(block: block, centroids: centroids, storage: .fp16)
        case .sign: .sign(scaled: false)
        case .bitLinear: .bitLinear(groups: 1)
        case .full, .index8, .integer8Activations: self
        }
    }
}
