import Foundation

/// A range of values and where they lie along a line of pixels.
struct Axis {
    /// How values are spaced.
    enum Spacing {
        case linear, logarithmic
    }

    let spacing: Spacing
    /// The values at the ends.
    let range: ClosedRange<Double>
    /// The pixels of the ends, in the order of the values.
    let pixels: (from: Double, to: Double)

    /// What is smaller is drawn at the end of a logarithmic axis.
    private static let smallest = 1e-12

    /// An axis over `values`; on a logarithmic one only those well above 0 count. An empty or single-valued
    /// range is widened.
    init(_ spacing: Spacing, over values: [Double], from: Double, to: Double) {
        self.spacing = spacing
        let kept = values.filter { $0.isFinite && (spacing == .linear || $0 >= Axis.smallest) }
        let low = kept.min() ?? 1
        let high = kept.max() ?? 1
        if spacing == .linear {
            let margin = high > low ? 0.04 * (high - low) : max(abs(high), 1) / 2
            range = max(low - margin, low >= 0 ? 0 : -.infinity)...(high + margin)
        } else {
            let factor = high > low ? pow(high / low, 0.04) : 2
            range = (low / factor)...(high * factor)
        }
        pixels = (from, to)
    }

    /// An axis whose ends are the ends of `range`.
    init(_ spacing: Spacing, spanning range: ClosedRange<Double>, from: Double, to: Double) {
        self.spacing = spacing
        self.range = range
        pixels = (from, to)
    }

    /// The pixel of a value; what lies outside is put on the nearer end.
    func pixel(_ value: Double) -> Double { pixels.from + share(value) * (pixels.to - pixels.from) }

    /// Where a value lies between the ends, 0 to 1.
    func share(_ value: Double) -> Double {
        let clamped = min(max(value, range.lowerBound), range.upperBound)
        if spacing == .linear { return (clamped - range.lowerBound) / (range.upperBound - range.lowerBound) }
        return log(clamped / range.lowerBound) / log(range.upperBound / range.lowerBound)
    }

    /// Round values inside the range, at least two and about `count`, with their text.
    func ticks(about count: Int) -> [(value: Double, text: String)] {
        spacing == .linear ? linearTicks(count) : logarithmicTicks(count)
    }

    private func linearTicks(_ count: Int) -> [(value: Double, text: String)] {
        let width = range.upperBound - range.lowerBound
        let decade = floor(log10(width / Double(max(count, 1))))
        // 1, 2 or 5 times a power of ten, the first that gives few enough.
        for (power, factor) in [(decade, 1.0), (decade, 2), (decade, 5), (decade + 1, 1)] {
            let step = factor * pow(10, power)
            let first = (range.lowerBound / step).rounded(.up)
            let last = (range.upperBound / step).rounded(.down)
            guard last - first < Double(count) + 1 else { continue }
            let digits = max(0, Int(-power))
            return stride(from: first, through: last, by: 1).map { ($0 * step, fixed($0 * step, digits)) }
        }
        return []
    }

    private func logarithmicTicks(_ count: Int) -> [(value: Double, text: String)] {
        let low = Int(floor(log10(range.lowerBound)))
        let high = Int(ceil(log10(range.upperBound)))
        var ticks: [(value: Double, text: String)] = []
        for steps in [[1.0], [1, 3], [1, 2, 5]] {
            ticks = (low...high).flatMap { power in
                steps.map { step in
                    let value = step * pow(10, Double(power))
                    return (value, fixed(value, max(0, -power)))
                }
            }.filter { range.contains($0.value) }
            if ticks.count >= (count + 1) / 2 { break }
        }
        // Over many decades every second or third one is named.
        let every = max(1, (ticks.count + count - 1) / max(count, 1))
        return ticks.enumerated().filter { $0.offset % every == 0 }.map(\.element)
    }
}

extension Picture {
    /// The lines and numbers of two axes, which end at the corners of the field that they span.
    ///
    /// - Parameters:
    ///   - across: from left to right, with about so many numbers below.
    ///   - up: from the bottom upwards, with about so many numbers to the left.
    mutating func draw(_ across: Axis, about columns: Int, _ up: Axis, about rows: Int) {
        let (left, right) = across.pixels
        let (bottom, top) = up.pixels
        for tick in across.ticks(about: columns) {
            let x = across.pixel(tick.value)
            line([(x, top), (x, bottom)], colour: Palette.ink, width: 1, opacity: 0.3)
            text(tick.text, x: x, y: bottom + 17, anchor: .middle, size: 11)
        }
        for tick in up.ticks(about: rows) {
            let y = up.pixel(tick.value)
            line([(left, y), (right, y)], colour: Palette.ink, width: 1, opacity: 0.3)
            text(tick.text, x: left - 7, y: y + 4, anchor: .end, size: 11)
        }
    }
}
