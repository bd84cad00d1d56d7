import Foundation

/// Static positions: sines in the first half of the channels, cosines in the second.
///
/// Computed where a token is embedded: a table of all positions would take more memory than it saves time.
/// - Source: Vaswani et al. 2017; the order of channels is Marian's.
struct Sinusoids: Sendable {
    /// What a position is divided by, for each pair of a sine and a cosine.
    private let divisors: [Double]

    /// Divisors of `10000^(2 i / width)`, as transformers has them.
    init(width: Int) {
        divisors = (0..<(width + 1) / 2).map { pow(10000, 2 * Double($0) / Double(width)) }
    }

    /// Divisors from 1 to 10000, `10000^(i / (width / 2 - 1))`, as Marian itself has them; an even width from
    /// 4 on.
    init(marianWidth width: Int) {
        divisors = (0..<width / 2).map { pow(10000, Double($0) / Double(width / 2 - 1)) }
    }

    /// The value of a channel at a position.
    func value(_ position: Int, _ channel: Int) -> Float {
        let sines = divisors.count
        return Float(
            channel < sines
                ? sin(Double(position) / divisors[channel])
                : cos(Double(position) / divisors[channel - sines]))
    }
}
