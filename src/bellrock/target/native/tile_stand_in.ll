
; The tile instructions of AMX as functions; %rows and %bytes as in the intrinsics, which ask for at
; most 16 lines of 64 bytes. What a tile has beyond them is zero, as on the processor.

declare <16 x i32> @llvm.masked.load.v16i32.p0(ptr, i32, <16 x i1>, <16 x i32>)
declare void @llvm.masked.store.v16i32.p0(<16 x i32>, ptr, i32, <16 x i1>)

define internal [16 x <16 x i32>] @bellrock_tile_zero(i16 %rows, i16 %bytes) noinline {
  ret [16 x <16 x i32>] zeroinitializer
}

define internal <16 x i1> @bellrock_tile_mask(i16 %bytes) {
  %quads = lshr i16 %bytes, 2
  %one = insertelement <16 x i16> poison, i16 %quads, i32 0
  %all = shufflevector <16 x i16> %one, <16 x i16> poison, <16 x i32> zeroinitializer
  %mask = icmp ult <16 x i16> <i16 0, i16 1, i16 2, i16 3, i16 4, i16 5, i16 6, i16 7, i16 8, i16 9, i16 10, i16 11, i16 12, i16 13, i16 14, i16 15>, %all
  ret <16 x i1> %mask
}

define internal [16 x <16 x i32>] @bellrock_tile_load(i16 %rows, i16 %bytes, ptr %from, i64 %stride) noinline {
entry:
  %tile = alloca [16 x <16 x i32>], align 64
  store [16 x <16 x i32>] zeroinitializer, ptr %tile, align 64
  %mask = call <16 x i1> @bellrock_tile_mask(i16 %bytes)
  %count = zext i16 %rows to i64
  br label %line
line:
  %i = phi i64 [0, %entry], [%next, %line]
  %offset = mul i64 %i, %stride
  %source = getelementptr i8, ptr %from, i64 %offset
  %found = call <16 x i32> @llvm.masked.load.v16i32.p0(ptr %source, i32 1, <16 x i1> %mask, <16 x i32> zeroinitializer)
  %place = getelementptr <16 x i32>, ptr %tile, i64 %i
  store <16 x i32> %found, ptr %place, align 64
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %count
  br i1 %more, label %line, label %done
done:
  %made = load [16 x <16 x i32>], ptr %tile, align 64
  ret [16 x <16 x i32>] %made
}

define internal void @bellrock_tile_store(i16 %rows, i16 %bytes, ptr %to, i64 %stride, [16 x <16 x i32>] %given) noinline {
entry:
  %tile = alloca [16 x <16 x i32>], align 64
  store [16 x <16 x i32>] %given, ptr %tile, align 64
  %mask = call <16 x i1> @bellrock_tile_mask(i16 %bytes)
  %count = zext i16 %rows to i64
  br label %line
line:
  %i = phi i64 [0, %entry], [%next, %line]
  %offset = mul i64 %i, %stride
  %target = getelementptr i8, ptr %to, i64 %offset
  %place = getelementptr <16 x i32>, ptr %tile, i64 %i
  %found = load <16 x i32>, ptr %place, align 64
  call void @llvm.masked.store.v16i32.p0(<16 x i32> %found, ptr %target, i32 1, <16 x i1> %mask)
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %count
  br i1 %more, label %line, label %done
done:
  ret void
}

; Sums of rows x bytes/4, plus left (rows x depth bytes) times right (depth/4 x bytes): even and odd
; elements of the depth are added up apart, then together to the sums.
define internal [16 x <16 x i32>] @bellrock_tile_multiply(i16 %rows, i16 %bytes, i16 %depth, [16 x <16 x i32>] %sums, [16 x <16 x i32>] %left, [16 x <16 x i32>] %right) noinline {
entry:
  %c = alloca [16 x <16 x i32>], align 64
  %a = alloca [16 x <16 x i32>], align 64
  %b = alloca [16 x <16 x i32>], align 64
  %d = alloca [16 x <16 x i32>], align 64
  store [16 x <16 x i32>] %sums, ptr %c, align 64
  store [16 x <16 x i32>] %left, ptr %a, align 64
  store [16 x <16 x i32>] %right, ptr %b, align 64
  store [16 x <16 x i32>] zeroinitializer, ptr %d, align 64
  %mask = call <16 x i1> @bellrock_tile_mask(i16 %bytes)
  %count = zext i16 %rows to i64
  %quads = lshr i16 %depth, 2
  %units = zext i16 %quads to i64
  br label %row
row:
  %m = phi i64 [0, %entry], [%m.next, %row.end]
  br label %unit
unit:
  %k = phi i64 [0, %row], [%k.next, %unit]
  %even = phi <16 x float> [zeroinitializer, %row], [%even.next, %unit]
  %odd = phi <16 x float> [zeroinitializer, %row], [%odd.next, %unit]
  %at = getelementptr [16 x i32], ptr %a, i64 %m, i64 %k
  %pair = load i32, ptr %at, align 4
  %one = insertelement <16 x i32> poison, i32 %pair, i32 0
  %x = shufflevector <16 x i32> %one, <16 x i32> poison, <16 x i32> zeroinitializer
  %line = getelementptr <16 x i32>, ptr %b, i64 %k
  %y = load <16 x i32>, ptr %line, align 64
  %x.low = shl <16 x i32> %x, splat (i32 16)
  %y.low = shl <16 x i32> %y, splat (i32 16)
  %x.high = and <16 x i32> %x, splat (i32 -65536)
  %y.high = and <16 x i32> %y, splat (i32 -65536)
  %x0 = bitcast <16 x i32> %x.low to <16 x float>
  %y0 = bitcast <16 x i32> %y.low to <16 x float>
  %x1 = bitcast <16 x i32> %x.high to <16 x float>
  %y1 = bitcast <16 x i32> %y.high to <16 x float>
  %p0 = fmul <16 x float> %x0, %y0
  %p1 = fmul <16 x float> %x1, %y1
  %even.next = fadd <16 x float> %even, %p0
  %odd.next = fadd <16 x float> %odd, %p1
  %k.next = add i64 %k, 1
  %k.more = icmp ult i64 %k.next, %units
  br i1 %k.more, label %unit, label %row.end
row.end:
  %place = getelementptr <16 x i32>, ptr %c, i64 %m
  %bits = load <16 x i32>, ptr %place, align 64
  %old = bitcast <16 x i32> %bits to <16 x float>
  %both = fadd <16 x float> %even.next, %odd.next
  %new = fadd <16 x float> %old, %both
  %new.bits = bitcast <16 x float> %new to <16 x i32>
  %kept = select <16 x i1> %mask, <16 x i32> %new.bits, <16 x i32> zeroinitializer
  %target = getelementptr <16 x i32>, ptr %d, i64 %m
  store <16 x i32> %kept, ptr %target, align 64
  %m.next = add i64 %m, 1
  %m.more = icmp ult i64 %m.next, %count
  br i1 %m.more, label %row, label %done
done:
  %made = load [16 x <16 x i32>], ptr %d, align 64
  ret [16 x <16 x i32>] %made
}
