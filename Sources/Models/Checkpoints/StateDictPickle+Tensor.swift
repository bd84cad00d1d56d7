extension StateDictPickle.Tensor {
    /// The number of elements, of a tensor that fits.
    var count: Int { shape.reduce(1, *) }

    /// Whether elements of a tensor that fits lie one after the other in the order of the indices.
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
        var (last, count) = (offset, 1)
        // An extent of 0 counts as 1: there are no elements then, but what is computed of the others must not
        // overflow either.
        for (extent, stride) in zip(shape.map({ max($0, 1) }), strides) {
            let (span, overflow) = (extent - 1).multipliedReportingOverflow(by: stride)
            let (sum, carry) = last.addingReportingOverflow(span)
            let (product, excess) = count.multipliedReportingOverflow(by: extent)
            if overflow || carry || excess { return false }
            (last, count) = (sum, product)
        }
        if shape.contains(0) { return offset <= storage.count }
        return last < storage.count && count <= storage.count
    }
}
