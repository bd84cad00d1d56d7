import PlanFormat

/// The schemes that laws are tested for.
package enum EveryScheme {
    /// Every family, with options off their defaults.
    package static let list: [Scheme] =
        Scheme.list(
            "fp32,fp16,bcq1..8,bcq2:g64,bcq3:g20,bcq2:fp16,bcq3:g64:fp16,emb1:r1,emb4:r1,emb4:r4,emb3:r2:fp16,"
                + "int2..8,int2..8:asym,int2..8:tensor,int2..8:tensor:asym,int2..8:g24,int2..8:g24:asym,int4:fp16,"
                + "int3:asym:fp16,int4:g64:asym:fp16,nf4,nf4:dq,nf4:b32,nf4:b50:dq,pq:b4:k256,pq:b8:k16,"
                + "pq:b8:k256:int8,pq:b8:k64:int8:a8,pq:b3:k5:a8,pq:b3:k5,tcq1..4,tcq1.5,tcq2.5,tcq3.5,tcq2:c,tcq4-2:r4,tcq2.5-1.5:r1,index8,sign,sign:mean,bitlinear,bitlinear:4,w8a8"
        )
        ?? []

    /// Shapes that are odd in every way that packing could mind.
    package static let shapes = [(1, 1), (1, 7), (3, 5), (5, 3), (63, 65), (64, 64), (17, 200), (2, 2048)]
}
