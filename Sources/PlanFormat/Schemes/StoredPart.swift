/// One part of a packed matrix as it lies in a file: a tensor whose type and shape follow from the matrix's
/// shape alone.
package struct StoredPart: Hashable, Sendable {
    /// The part's name; on disk `<tensor>.<name>`.
    package let name: String
    /// The element type.
    package let type: ElementType
    /// Extents, outermost first.
    package let shape: [Int]
    /// How the bytes stand.
    package let order: Order
    /// The values that the elements may have.
    package let values: Values

    /// How the bytes of a part stand (`Sources/Kernels/Layouts.md`).
    package enum Order: Hashable, Sendable {
        /// Element after element, outermost first.
        case rowMajor
        /// `planes` planes of `rows` rows of `rowBytes` bytes, the rows interleaved in words of 4 bytes.
        case interleaved(planes: Int, rows: Int, rowBytes: Int)
    }

    /// The values that the elements of a part may have.
    package enum Values: Hashable, Sendable {
        /// Any of the type.
        case any
        /// The class of each row; class i has `sizes[i]` rows.
        case classes(sizes: [Int])
        /// A stream of indices below `count` of `bits` bits each.
        case indices(bits: Int, count: Int)
    }

    init(
        _ name: String, _ type: ElementType, _ shape: [Int], order: Order = .rowMajor, values: Values = .any
    ) {
        self.name = name
        self.type = type
        self.shape = shape
        self.order = order
        self.values = values
    }

    /// Codes of 1 to 8 bits, each row beginning at a byte: (rows, ceil(columns bits / 8)), interleaved.
    static func codes(_ name: String = "codes", rows: Int, columns: Int, bits: Int) -> StoredPart {
        let rowBytes = ceilDivide(columns * bits, 8)
        return StoredPart(
            name, .uint8, [rows, rowBytes], order: .interleaved(planes: 1, rows: rows, rowBytes: rowBytes))
    }

    /// Signed bytes: (rows, columns), interleaved.
    static func signedBytes(rows: Int, columns: Int) -> StoredPart {
        StoredPart(
            "codes", .int8, [rows, columns], order: .interleaved(planes: 1, rows: rows, rowBytes: columns))
    }

    /// Bytes of the part.
    package var sizeInBytes: Int { shape.reduce(type.sizeInBytes, *) }
}
