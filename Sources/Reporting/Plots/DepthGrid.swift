import PlanFormat

/// Fields by type (rows) and depth (columns), the sublayers without a depth in a column of their own.
struct DepthGrid {
    /// Pixels that GitHub gives to a report.
    static let pageWidth = 830.0

    /// Types from top to bottom, in order of execution.
    let types: [String]
    private let labelWidth: Double
    private let fieldWidth: Double
    private let fieldHeight = 26.0
    private let depths: Int
    private let hasSingles: Bool
    private let places: [(row: Int, column: Int)]

    /// The grid of a model's sublayers; narrow fields for deep models.
    init(_ layout: ModelLayout) {
        let names = layout.sublayers.map(\.name)
        var types: [String] = []
        for name in names where name.kind != .vectors && !types.contains(name.row) { types.append(name.row) }
        let depths = (names.compactMap(\.depth).max() ?? -1) + 1
        let hasSingles = names.contains { $0.depth == nil }
        self.types = types
        self.depths = depths
        self.hasSingles = hasSingles
        places = names.map { name in
            (types.firstIndex(of: name.row) ?? 0, name.depth.map { $0 + (hasSingles ? 1 : 0) } ?? 0)
        }
        labelWidth = 10 + Picture.characterWidth * Double(types.map(\.count).max() ?? 0)
        let columns = Double(max(1, depths + (hasSingles ? 1 : 0)))
        fieldWidth = min(46, max(8, (Self.pageWidth - labelWidth) / columns))
    }

    /// Pixels of a panel.
    var width: Double { labelWidth + fieldWidth * Double(max(1, depths + (hasSingles ? 1 : 0))) }
    /// Pixels of a panel, without its title and the line of depths.
    var height: Double { fieldHeight * Double(types.count) }

    /// Title, types and depths of a panel.
    func drawAxes(in picture: inout Picture, left: Double, top: Double, title: String) {
        picture.text(title, x: left + labelWidth, y: top + 14, size: 13, isBold: true)
        for (row, type) in types.enumerated() {
            picture.text(
                type, x: left + labelWidth - 6, y: top + 22 + fieldHeight * Double(row) + 17, anchor: .end)
        }
        // Numbers of narrow columns would run into each other.
        let every = max(1, Int((22 / fieldWidth).rounded(.up)))
        for depth in stride(from: 0, to: depths, by: every) {
            let column = Double(depth + (hasSingles ? 1 : 0))
            picture.text(
                "\(depth)", x: left + labelWidth + fieldWidth * (column + 0.5), y: top + 22 + height + 14,
                anchor: .middle, size: 11)
        }
    }

    /// The field of a sublayer (its index in the layout); the text is left out where it has no room.
    func drawField(
        in picture: inout Picture, left: Double, top: Double, sublayer: Int, colour: String, text: String,
        note: String
    ) {
        let place = places[sublayer]
        let x = left + labelWidth + fieldWidth * Double(place.column)
        let y = top + 22 + fieldHeight * Double(place.row)
        picture.rectangle(
            x: x + 0.5, y: y + 0.5, width: fieldWidth - 1, height: fieldHeight - 1, fill: colour, note: note)
        guard Double(text.count) * Picture.characterWidth * 11 / 12 <= fieldWidth else { return }
        picture.text(
            text, x: x + fieldWidth / 2, y: y + 17, anchor: .middle, size: 11, colour: Palette.ink(on: colour)
        )
    }
}
