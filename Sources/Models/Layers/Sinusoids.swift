import Foundation

/// Static positions: sines in the first half of the channels, cosines in the second.
///
/// Computed where a token is embedded: a table of all positions would take more memory than it saves time.
/// - Source: Vaswani et al. 2017; the order of channels is Marian's.
struct Sinusoids: Sendable {
    /// What a position is divided by, for each pair of a sine and a cosine.
    private let divisors: [Double]
    /// The position of a sequence's first token.
    private let offset: Int

    /// Divisors of `10000^(2 i / width)`, as MarianMT has them.
    init(width: Int) {
        offset = 0
        divisors = (0..<(width + 1) / 2).map { pow(10000, 2 * Double($0) / Double(width)) }
    }

    /// Divisors from 1 to 10000, `10000^(i / (width / 2 - 1))`, as Marian itself and M2M100 have them; an
    /// even width from 4 on.
    init(spreadOver width: Int, offset: Int = 0) {
        self.offset = offset
        divisors = (0..<width / 2).map { pow(10000, Double($0) / Double(width / 2 - 1)) }
    }

    /// The value of a channel at a token's place in its sequence.
    func value(_ position: Int, _ channel: Int) -> Float {
        let sines = divisors.count
        let position = position + offset
        return Float(
            channel < sines
                ? sin(Double(position) / divisors[channel])
                : cos(Double(position) / divisors[channel - sines]))
    }
}
