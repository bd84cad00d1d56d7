import PlanFormat

extension Plan {
    /// Bits by depth as an SVG plot: a panel per type, a bar per depth; its height is bits per weight, scales
    /// included, and the scheme stands over it, or `mixed` where matrices have several.
    ///
    /// - Throws: `PlanError` where the plan does not fit the layout.
    package func bitsSVG(of layout: ModelLayout) throws(PlanError) -> String {
        let schemes = try schemes(of: layout)
        var panels: [(type: String, bars: [Bar])] = []
        for (name, members) in layout.wholes where !layout.sublayers[members[0]].isVectors {
            let bar = Bar(
                depth: name.depth, scheme: sharedScheme(of: members, schemes)?.description ?? "mixed",
                bits: layout.extent(of: members, schemes).bits)
            if let index = panels.firstIndex(where: { $0.type == name.row }) {
                panels[index].bars.append(bar)
            } else {
                panels.append((name.row, [bar]))
            }
        }
        return BitsPanels(panels).svg
    }

    fileprivate struct Bar {
        let depth: Int?
        let scheme: String
        let bits: Double
    }
}

/// Panels that fill the page from left to right, rows of them from top to bottom.
private struct BitsPanels {
    private let panels: [(type: String, bars: [Plan.Bar])]
    private let most: Double
    private let barWidth: Double
    private let barHeight = 96.0
    private let gap = 30.0

    init(_ panels: [(type: String, bars: [Plan.Bar])]) {
        self.panels = panels
        most = max(1, panels.flatMap(\.bars).map(\.bits).max() ?? 1)
        let longest = panels.map(\.bars.count).max() ?? 1
        let text = panels.flatMap(\.bars).map(\.scheme.count).max() ?? 4
        // Wide enough for the schemes' names, as long as the longest panel fits the page.
        let wanted = max(30, Double(min(text, 10)) * Picture.characterWidth + 4)
        barWidth = max(6, min(wanted, (DepthGrid.pageWidth - gap) / Double(longest)))
    }

    var svg: String {
        var places: [(x: Double, row: Int)] = []
        var (x, row) = (0.0, 0)
        for panel in panels {
            let width = panelWidth(panel)
            if x > 0, x + width > DepthGrid.pageWidth { (x, row) = (0, row + 1) }
            places.append((x, row))
            x += width + gap
        }
        let rowHeight = barHeight + 70
        var picture = Picture(
            width: DepthGrid.pageWidth, height: Double(row + 1) * rowHeight + 4,
            title: "Bits of every sublayer by depth")
        for (panel, place) in zip(panels, places) {
            draw(panel, in: &picture, left: place.x, top: Double(place.row) * rowHeight)
        }
        picture.text(
            "bits per weight, scales included", x: DepthGrid.pageWidth - 2, y: picture.height - 6,
            anchor: .end, size: 11)
        return picture.svg
    }

    private func panelWidth(_ panel: (type: String, bars: [Plan.Bar])) -> Double {
        max(Double(panel.bars.count) * barWidth, Double(panel.type.count) * Picture.characterWidth * 1.1)
    }

    private func draw(
        _ panel: (type: String, bars: [Plan.Bar]), in picture: inout Picture, left: Double, top: Double
    ) {
        let base = top + 38 + barHeight
        picture.text(panel.type, x: left, y: top + 14, size: 13, isBold: true)
        picture.line(
            [(left, base), (left + Double(panel.bars.count) * barWidth, base)], colour: Palette.ink, width: 1)
        for (index, bar) in panel.bars.enumerated() {
            let x = left + Double(index) * barWidth
            let height = barHeight * bar.bits / most
            let colour = Palette.bits(bar.bits / most)
            let name = panel.type + (bar.depth.map { ".\($0)" } ?? "")
            picture.rectangle(
                x: x + 1, y: base - height, width: barWidth - 2, height: height, fill: colour,
                note: "\(name): \(bar.scheme), \(fixed(bar.bits, 2)) bits per weight")
            if Double(bar.scheme.count) * Picture.characterWidth * 10 / 12 <= barWidth {
                picture.text(
                    bar.scheme, x: x + barWidth / 2, y: base - height - 4, anchor: .middle, size: 10)
            }
            let every = max(1, Int((16 / barWidth).rounded(.up)))
            if let depth = bar.depth, depth % every == 0 {
                picture.text("\(depth)", x: x + barWidth / 2, y: base + 14, anchor: .middle, size: 11)
            }
        }
    }
}
