import PlanFormat

extension FrontierTable {
    /// The frontier as an SVG plot: bytes against loss on a logarithmic scale. Plans stand on it or above it:
    /// full marks where their loss is predicted, hollow ones where it was measured, a line between the two.
    package var plotSVG: String { plot.svg }

    /// The plot, and where each point of the frontier lies in it, in its pixels.
    var plot: (svg: String, places: [(x: Double, y: Double)]) {
        var plot = PlanScatter(self)
        plot.drawAxes()
        plot.drawFrontier()
        plot.drawPlans()
        plot.drawLegend()
        return (plot.picture.svg, points.map(plot.place))
    }

    /// Whether the losses are nats: measured, or estimated.
    var hasNats: Bool { proxy?.estimatesKL ?? true }
}

/// The parts of the plot of a frontier.
struct PlanScatter {
    /// The pixels of the picture.
    static let size = (width: DepthGrid.pageWidth, height: 456.0)

    private(set) var picture: Picture
    private let table: FrontierTable
    private let plans: [FrontierTable.PlanPoint]
    private let bytes: Axis
    private let loss: Axis
    private let area = (left: 76.0, top: 12.0, right: 814.0, bottom: 380.0)
    private var taken: [Box] = []

    /// Where a text or a mark stands.
    private struct Box {
        let x: ClosedRange<Double>
        let y: ClosedRange<Double>

        func overlaps(_ other: Box) -> Bool { x.overlaps(other.x) && y.overlaps(other.y) }
    }

    private struct Mark {
        let plan: FrontierTable.PlanPoint
        let x: Double
        let predicted: Double?
        let measured: Double?
        let interval: (low: Double, high: Double)?
    }

    init(_ table: FrontierTable) {
        self.table = table
        // What was measured is nats; beside other losses it has no place.
        plans = table.hasNats ? table.plans : table.plans.filter { $0.predictedKL != nil }
        picture = Picture(
            width: Self.size.width, height: Self.size.height,
            title: "Bytes against predicted loss: the frontier and plans beside it")
        let sizes = (table.points.map(\.bytes) + plans.map(\.bytes)).map { Double($0) / 1e6 }
        // Where full precision is a candidate, everything else would lie at the left edge.
        let isWide = (sizes.max() ?? 1) > 8 * (sizes.min() ?? 1)
        bytes = Axis(isWide ? .logarithmic : .linear, over: sizes, from: area.left, to: area.right)
        loss = Axis(
            .logarithmic,
            over: table.points.map(\.klNats)
                + plans.flatMap { plan in
                    [plan.predictedKL]
                        + (table.hasNats
                            ? [plan.measuredKL, plan.measuredInterval?.low, plan.measuredInterval?.high] : [])
                }.compactMap { $0 },
            from: area.bottom, to: area.top)
    }

    mutating func drawAxes() {
        picture.draw(bytes, about: 9, loss, about: 8)
        picture.text("megabytes", x: (area.left + area.right) / 2, y: area.bottom + 35, anchor: .middle)
        picture.verticalText(
            ProxySignal.lossName(table.proxy) + (table.hasNats ? ", nats" : ""), x: 14,
            y: (area.top + area.bottom) / 2)
    }

    /// Where a point of the frontier lies.
    func place(_ point: FrontierTable.Point) -> (x: Double, y: Double) {
        (bytes.pixel(Double(point.bytes) / 1e6), loss.pixel(point.klNats))
    }

    mutating func drawFrontier() {
        var line: [(x: Double, y: Double)] = []
        for (index, point) in table.points.enumerated() {
            let next = place(point)
            // Thousands of points lie on the same pixels.
            if let last = line.last, index < table.points.count - 1, abs(next.x - last.x) < 0.7,
                abs(next.y - last.y) < 0.7
            {
                continue
            }
            line.append(next)
        }
        picture.line(line, colour: Palette.frontier, width: 2)
        guard let knee = table.knee.flatMap({ table.points.indices.contains($0) ? table.points[$0] : nil })
        else {
            return
        }
        let place = place(knee)
        picture.polygon(
            shape(.optimum, place.x, place.y), colour: Palette.marked, isFilled: true,
            note: "knee: \(grouped(knee.bytes)) bytes, KL \(significant(knee.klNats, 4))")
        taken.append(Box(x: (place.x - 6)...(place.x + 6), y: (place.y - 6)...(place.y + 6)))
        label("knee", x: place.x, y: place.y, colour: Palette.marked, below: true)
    }

    mutating func drawPlans() {
        let marks = plans.map { plan in
            Mark(
                plan: plan, x: bytes.pixel(Double(plan.bytes) / 1e6),
                predicted: plan.predictedKL.map(loss.pixel),
                measured: table.hasNats ? plan.measuredKL.map(loss.pixel) : nil,
                interval: table.hasNats
                    ? plan.measuredInterval.map { (loss.pixel($0.low), loss.pixel($0.high)) } : nil)
        }
        for mark in marks {
            let colour = colour(mark.plan.kind)
            if let predicted = mark.predicted, let measured = mark.measured {
                picture.line(
                    [(mark.x, predicted), (mark.x, measured)], colour: colour, width: 1, dash: "3 2")
            }
            if let interval = mark.interval { drawInterval(interval, x: mark.x, colour: colour) }
            draw(mark, y: mark.predicted, isFilled: true, what: "predicted", mark.plan.predictedKL)
            draw(mark, y: mark.measured, isFilled: false, what: "measured", mark.plan.measuredKL)
        }
        // The chosen plan takes the best place for its name.
        for mark in marks.filter({ $0.plan.kind == .chosen }) + marks.filter({ $0.plan.kind != .chosen })
        where mark.plan.kind != .measured && mark.plan.kind != .optimum {
            guard let y = [mark.predicted, mark.measured].compactMap({ $0 }).min() else { continue }
            label(name(mark.plan), x: mark.x, y: y, colour: colour(mark.plan.kind), below: false)
        }
    }

    /// A 95% interval as a line with a bar at either end.
    private mutating func drawInterval(_ interval: (low: Double, high: Double), x: Double, colour: String) {
        picture.line([(x, interval.low), (x, interval.high)], colour: colour, width: 1.5)
        for y in [interval.low, interval.high] {
            picture.line([(x - 4, y), (x + 4, y)], colour: colour, width: 1.5)
        }
    }

    private mutating func draw(_ mark: Mark, y: Double?, isFilled: Bool, what: String, _ value: Double?) {
        guard let y, let value else { return }
        picture.polygon(
            shape(mark.plan.kind, mark.x, y), colour: colour(mark.plan.kind), isFilled: isFilled,
            note:
                "\(mark.plan.origin): \(grouped(mark.plan.bytes)) bytes, KL \(significant(value, 4)) \(what)")
        taken.append(Box(x: (mark.x - 6)...(mark.x + 6), y: (y - 6)...(y + 6)))
    }

    /// A name beside a mark, where it covers nothing.
    private mutating func label(_ text: String, x: Double, y: Double, colour: String, below: Bool) {
        let width = Picture.characterWidth * Double(text.count)
        let places: [(Double, Double)] = [
            (9, -7), (-9 - width, 17), (-9 - width, -7), (9, 17), (-width / 2, -13),
        ]
        let order = below ? [1, 2, 3, 0, 4] : [0, 4, 2, 3, 1]
        let boxes = order.map { index -> (x: Double, y: Double, box: Box) in
            let left = min(max(x + places[index].0, area.left), area.right - width)
            let base = y + places[index].1
            return (left, base, Box(x: left...(left + width), y: (base - 10)...(base + 3)))
        }
        let free = boxes.first { place in !taken.contains { $0.overlaps(place.box) } } ?? boxes[0]
        taken.append(free.box)
        picture.text(text, x: free.x, y: free.y, colour: colour)
    }

    mutating func drawLegend() {
        var kinds: [(FrontierTable.PlanPoint.Kind, String)] = []
        for (kind, text) in [
            (FrontierTable.PlanPoint.Kind.chosen, "chosen plan"), (.uniform, "uniform"), (.preset, "preset"),
            (.optimum, "knee, optimum asked for"), (.measured, "others measured"),
        ]
        where plans.contains(where: {
            $0.kind == kind && ($0.predictedKL ?? $0.measuredKL) != nil
        }) || (kind == .optimum && table.knee != nil) {
            kinds.append((kind, text))
        }
        var x = area.left
        let y = picture.height - 26
        picture.line([(x, y - 4), (x + 18, y - 4)], colour: Palette.frontier, width: 2)
        picture.text("frontier", x: x + 23, y: y)
        x += 23 + 8 * Picture.characterWidth + 12
        for (kind, text) in kinds {
            picture.polygon(shape(kind, x + 6, y - 4), colour: colour(kind), isFilled: kind != .measured)
            picture.text(text, x: x + 16, y: y)
            x += 16 + Double(text.count) * Picture.characterWidth + 12
        }
        picture.text(
            "full mark: predicted (sum of the table's cells); hollow: measured on the planning data"
                + (plans.contains { $0.measuredInterval != nil } ? "; bars: 95% interval" : ""),
            x: area.left,
            y: y + 18, size: 11)
    }

    private func name(_ plan: FrontierTable.PlanPoint) -> String {
        switch (plan.kind, plan.origin) {
        case (.chosen, _): "plan"
        case (_, .uniform(let scheme)): scheme.description
        case (_, .preset(let preset)): preset.description
        default: plan.origin.description
        }
    }

    private func colour(_ kind: FrontierTable.PlanPoint.Kind) -> String {
        switch kind {
        case .uniform: Palette.uniform
        case .preset: Palette.preset
        case .optimum: Palette.marked
        case .measured: Palette.measured
        case .chosen: Palette.chosen
        }
    }

    /// Squares, triangles, diamonds and octagons: kinds differ by more than their colour.
    private func shape(_ kind: FrontierTable.PlanPoint.Kind, _ x: Double, _ y: Double) -> [(
        x: Double, y: Double
    )] {
        switch kind {
        case .uniform: [(x - 4.5, y - 4.5), (x + 4.5, y - 4.5), (x + 4.5, y + 4.5), (x - 4.5, y + 4.5)]
        case .preset: [(x, y - 6), (x + 6, y + 4.5), (x - 6, y + 4.5)]
        case .optimum: [(x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y)]
        case .measured: [(x - 5, y - 4), (x + 5, y - 4), (x, y + 5)]
        case .chosen:
            [
                (x - 2.5, y - 6), (x + 2.5, y - 6), (x + 6, y - 2.5), (x + 6, y + 2.5), (x + 2.5, y + 6),
                (x - 2.5, y + 6), (x - 6, y + 2.5), (x - 6, y - 2.5),
            ]
        }
    }
}
