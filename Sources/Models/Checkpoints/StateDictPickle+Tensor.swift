extension StateDictPickle.Tensor {
    /// The number of elements.
    var count: Int { shape.reduce(1, *) }

    /// Whether elements lie one after the other in the order of the indices.
    var isContiguous: Bool {
        var expected = 1
        for (extent, stride) in zip(shape, strides).reversed() where extent != 1 {
            if stride != expected { return false }
            expected *= extent
        }
        return true
    }

    /// Whether no element lies outside the storage, nor is stored for several; nothing overflows.
    var fits: Bool {
        if shape.contains(0) { return shape.allSatisfy { $0 <= storage.count } && offset <= storage.count }
        var (last, count) = (offset, 1)
        for (extent, stride) in zip(shape, strides) {
            let (span, overflow) = (extent - 1).multipliedReportingOverflow(by: stride)
            let (sum, carry) = last.addingReportingOverflow(span)
            let (product, excess) = count.multipliedReportingOverflow(by: extent)
            if overflow || carry || excess { return false }
            (last, count) = (sum, product)
        }
        return last < storage.count && count <= storage.count
    }
}
