import PlanFormat

/// What a quantizer of integers makes of every matrix of a plan.
struct IntegerChoices {
    struct Entry {
        let matrix: PlannedMatrix
        /// Nil for full precision.
        let format: IntegerFormat?
    }

    let entries: [Entry]
    private let notes: MappingNotes

    /// - Throws: `ExportError` where a scheme is not expressible and `nearest` does not allow another, or
    ///   everything stays as it is.
    init(_ matrices: [PlannedMatrix], _ capabilities: IntegerCapabilities, nearest: Bool) throws(ExportError)
    {
        var entries: [Entry] = []
        var notes = MappingNotes()
        for matrix in matrices {
            let answer = try capabilities.answer(matrix, nearest: nearest)
            if !answer.isExact { notes.add(matrix, answer.format?.description ?? "full precision") }
            entries.append(Entry(matrix: matrix, format: answer.format))
        }
        guard entries.contains(where: { $0.format != nil }) else {
            throw .nothingToQuantize(capabilities.consumer)
        }
        self.entries = entries
        self.notes = notes
    }

    /// The formats that occur, in the order of their first matrices.
    var formats: [IntegerFormat] {
        var formats: [IntegerFormat] = []
        for case let format? in entries.map(\.format) where !formats.contains(format) {
            formats.append(format)
        }
        return formats
    }

    /// The format of most matrices; the first of equals.
    var mostFrequent: IntegerFormat {
        var best = (format: formats[0], count: 0)
        for format in formats {
            let count = entries.count { $0.format == format }
            if count > best.count { best = (format, count) }
        }
        return best.format
    }

    /// The export of a file's text, matrices named by their modules.
    func export(_ text: String, more: [String] = []) -> PlanExport {
        PlanExport(
            text: text,
            settings: entries.map {
                .init(
                    tensor: $0.matrix.shape.tensor, name: $0.matrix.module,
                    setting: $0.format?.description ?? "full precision")
            }, notes: notes.lines + more)
    }
}
