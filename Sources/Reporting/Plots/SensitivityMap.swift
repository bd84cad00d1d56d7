import PlanFormat

extension SensitivityTable {
    /// Sensitivity by depth as an SVG heat map: a panel per candidate, a row per type, a column per depth;
    /// colour is KL on a logarithmic scale that all panels share, the number in a field KL in thousandths of
    /// a nat.
    package var mapSVG: String {
        let grid = DepthGrid(layout)
        let schemes = Array(candidates.reversed())
        let values = bySublayer.filter { candidates.contains($0.scheme) }.map(\.measurement.klNats)
        let scale = Axis(.logarithmic, over: values, from: 0, to: 1)
        let (panelWidth, panelHeight) = (grid.width + 24, grid.height + 52)
        let perRow = max(1, min(schemes.count, Int((DepthGrid.pageWidth + 24) / panelWidth)))
        let rows = ceilDivide(schemes.count, perRow)
        let legendHeight = 54.0
        var picture = Picture(
            width: max(Double(perRow) * panelWidth - 24, 420),
            height: Double(rows) * panelHeight + legendHeight,
            title: "\(ProxySignal.lossName(proxy)) of each sublayer under each scheme, by type and depth")
        for (index, scheme) in schemes.enumerated() {
            let left = Double(index % perRow) * panelWidth
            let top = Double(index / perRow) * panelHeight
            grid.drawAxes(in: &picture, left: left, top: top, title: scheme.description)
            for (place, sublayer) in layout.sublayers.enumerated() {
                guard !sublayer.isVectors, let cell = cell(sublayer.name, scheme) else { continue }
                let value = cell.measurement.klNats
                let colour = value > 0 ? Palette.scale(scale.share(value)) : Palette.ink
                let reach = cell.measurement.intervalReach.map { " ± " + significant($0, 2) } ?? ""
                grid.drawField(
                    in: &picture, left: left, top: top, sublayer: place, colour: colour,
                    text: shortNumber(perMille * value),
                    note:
                        "\(sublayer.name) \(scheme): \(significant(value, 4))\(reach)\(hasNats ? " nats" : "")"
                )
            }
        }
        drawLegend(in: &picture, scale: scale, top: picture.height - legendHeight + 14)
        return picture.svg
    }

    /// Whether the cells are nats: measured, or estimated.
    var hasNats: Bool { proxy?.estimatesKL ?? true }
    private var perMille: Double { hasNats ? 1000 : 1 }

    private func drawLegend(in picture: inout Picture, scale: Axis, top: Double) {
        let (left, width) = (picture.width / 2 - 160, 320.0)
        let fields = 64
        for index in 0..<fields {
            let share = (Double(index) + 0.5) / Double(fields)
            // Fields overlap by half a pixel, so that no line shows between them.
            picture.rectangle(
                x: left + width * Double(index) / Double(fields), y: top, width: width / Double(fields) + 0.5,
                height: 10, fill: Palette.scale(share))
        }
        let axis = Axis(.logarithmic, spanning: scale.range, from: left, to: left + width)
        for tick in axis.ticks(about: 5) {
            let x = axis.pixel(tick.value)
            picture.text(significant(perMille * tick.value, 1), x: x, y: top + 23, anchor: .middle, size: 11)
        }
        picture.text(
            ProxySignal.lossName(proxy) + (hasNats ? ", nats x 1000" : ""), x: left + width / 2, y: top + 38,
            anchor: .middle,
            size: 11)
    }
}

/// A number short enough for a field: two digits, or all before the point.
func shortNumber(_ value: Double) -> String {
    guard value != 0 else { return "0" }
    guard abs(value) >= 0.001 else { return "<.001" }
    return significant(value, 2)
}

extension ProxySignal {
    /// What the cells of a table hold.
    static func lossName(_ proxy: ProxySignal?) -> String {
        switch proxy {
        case nil: "KL(full precision || quantized)"
        case .weight: "squared weight error"
        case .output: "output error"
        case .fisher: "estimated KL (Fisher)"
        }
    }
}
