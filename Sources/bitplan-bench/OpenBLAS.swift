#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// OpenBLAS, if the machine has it: loaded at run time, so that nothing of the package depends on it.
struct OpenBLAS {
    private typealias Gemm =
        @convention(c) (
            Int32, Int32, Int32, Int32, Int32, Int32, Float, UnsafePointer<Float>, Int32,
            UnsafePointer<Float>, Int32, Float,
            UnsafeMutablePointer<Float>, Int32
        ) -> Void
    private typealias Gemv =
        @convention(c) (
            Int32, Int32, Int32, Int32, Float, UnsafePointer<Float>, Int32, UnsafePointer<Float>, Int32,
            Float,
            UnsafeMutablePointer<Float>, Int32
        ) -> Void
    private let gemm: Gemm
    private let gemv: Gemv
    /// The library's own account of itself.
    let configuration: String

    /// nil where no OpenBLAS is installed.
    init?() {
        let names = [
            "libopenblas.so.0", "libopenblas.so", "/opt/homebrew/opt/openblas/lib/libopenblas.dylib",
        ]
        guard let library = names.lazy.compactMap({ dlopen($0, RTLD_NOW) }).first,
            let gemm = dlsym(library, "cblas_sgemm"), let gemv = dlsym(library, "cblas_sgemv"),
            let threads = dlsym(library, "openblas_set_num_threads"),
            let about = dlsym(library, "openblas_get_config")
        else { return nil }
        self.gemm = unsafeBitCast(gemm, to: Gemm.self)
        self.gemv = unsafeBitCast(gemv, to: Gemv.self)
        unsafeBitCast(threads, to: (@convention(c) (Int32) -> Void).self)(1)
        let text = unsafeBitCast(about, to: (@convention(c) () -> UnsafePointer<CChar>?).self)()
        configuration = text.map { String(cString: $0) } ?? "OpenBLAS"
    }

    /// `y = x W^T` on one thread, weights row-major.
    func multiply(
        _ weights: UnsafePointer<Float>, rows: Int, columns: Int, _ x: UnsafePointer<Float>, tokens: Int,
        into y: UnsafeMutablePointer<Float>
    ) {
        let (m, n, k) = (Int32(tokens), Int32(rows), Int32(columns))
        // 101: row-major; 111: as it is; 112: transposed.
        if tokens == 1 {
            gemv(101, 111, n, k, 1, weights, k, x, 1, 0, y, 1)
        } else {
            gemm(101, 111, 112, m, n, k, 1, x, k, weights, k, 0, y, n)
        }
    }
}
