// SPDX-License-Identifier: BSD-2-Clause
/*
 * calls.c - every system call of the kernel's table, and the kinds of its arguments: a letter each, explained in args.c.
 * A call that the table gains and nobody describes here gets six arguments of any kind.  "-": never called, because it would
 * end the machine or take the harness's clock away.
 */
#include "user/tests/sysfuzz/sysfuzz.h"

#define ANYTHING "xxxxxx"

/* clang-format off */
static const char *const kinds[512] = {
	[5] = "PPBlw", [6] = "PPBlw", [7] = "fPBlw", [8] = "RPBl", [9] = "RPBl", [10] = "fPBl", [11] = "RBl", [12] = "RBl",
	[13] = "fBl", [14] = "PP", [15] = "PP", [16] = "fP",
	[17] = "Bl", [19] = "io", [20] = "o", [21] = "fefB", [22] = "fBntgS",
	[23] = "f", [24] = "fFo", [25] = "fcb", [29] = "fIB", [32] = "fL", [33] = "DPmx", [34] = "DPm", [35] = "DPU",
	[36] = "PDP", [37] = "DPDPU", [39] = "PU", [40] = "PPyNB", [43] = "RB", [44] = "fB", [45] = "Pz", [46] = "fz",
	[47] = "fJzz", [48] = "DRm", [49] = "P", [50] = "f", [51] = "P", [52] = "fm", [53] = "DPm", [54] = "DPuuU",
	[55] = "fuu", [56] = "DRom", [57] = "F", [58] = "-", [59] = "Bo", [61] = "fBl", [62] = "fzh", [63] = "fBl",
	[64] = "fBl", [65] = "fvn", [66] = "fvn", [67] = "fBlz", [68] = "fBlz", [69] = "fvnz", [70] = "fvnz",
	[71] = "ffBl", [72] = "nGGGtG", [73] = "BntgS", [78] = "DRBl", [79] = "DRBU", [80] = "fB", [81] = "", [82] = "f",
	[83] = "f", [84] = "fzzw", [85] = "Ho", [86] = "fiqB", [87] = "fB", [88] = "DPBU", [90] = "BB", [91] = "BB",
	[92] = "w", [93] = "i", [94] = "i", [95] = "ikBwB", [96] = "B", [97] = "C", [98] = "BQitBi", [99] = "BS",
	[100] = "kBB", [101] = "tB", [102] = "iB", [103] = "iqB", [112] = "-", [113] = "HB", [114] = "HB",
	[115] = "HitB", [116] = "YBl", [118] = "kB", [119] = "kiB", [120] = "k", [121] = "kB", [122] = "klB",
	[123] = "klB", [124] = "", [125] = "i", [126] = "i", [127] = "kB", [128] = "", [129] = "ks", [130] = "ks",
	[131] = "kks", [132] = "BB", [133] = "gS", [134] = "sBBS", [135] = "igBS", [136] = "BS", [137] = "gBtS",
	[138] = "ksB", [139] = "", [140] = "Wki", [141] = "Wk", [142] = "-", [143] = "uu", [144] = "u", [145] = "uu",
	[146] = "u", [147] = "uuu", [148] = "BBB", [149] = "uuu", [150] = "BBB", [151] = "u", [152] = "u", [153] = "B",
	[154] = "kk", [155] = "k", [156] = "k", [157] = "", [158] = "nB", [159] = "nB", [160] = "B", [161] = "-",
	[162] = "-", [163] = "rB", [164] = "rB", [165] = "iB", [166] = "m", [167] = "OBBBB", [168] = "BBB", [169] = "BB",
	[170] = "-", [172] = "", [173] = "", [174] = "", [175] = "", [176] = "", [177] = "", [178] = "", [179] = "B",
	[198] = "iii", [199] = "iiiB", [200] = "fBl", [201] = "fi", [202] = "fBB", [203] = "fBl", [204] = "fBB",
	[205] = "fBB", [206] = "fBlwBl", [207] = "fBlwBB", [208] = "fiiBl", [209] = "fiiBB", [210] = "fi",
	[211] = "fBw", [212] = "fBw", [213] = "fzl", [214] = "a", [215] = "al", [216] = "allEa", [220] = "CBBBB",
	[221] = "RAA", [222] = "alpMfZ", [223] = "fzlk", [226] = "alp", [227] = "alw", [228] = "al", [229] = "al",
	[230] = "w", [231] = "", [232] = "alB", [233] = "ald", [234] = "alpzw", [240] = "kksB", [242] = "fBBo", [243] = "fBnwt",
	[258] = "BnlBw", [259] = "aaw", [260] = "kBwB", [261] = "krBB", [267] = "f", [269] = "fBnw", [276] = "DPDPj",
	[278] = "Blw", [279] = "Pw", [281] = "DRAAU", [283] = "wii", [284] = "alw", [285] = "fBfBlw", [286] = "fvnzzw",
	[287] = "fvnzzw", [291] = "DRUwB", [293] = "Blii", [435] = "KS", [436] = "FFw", [439] = "DRmU", [441] = "fBntgS",
	[452] = "DPmU",
};

const struct call calls[] = {
#define SYSCALL(number, name) {number, #name},
#include "kernel/syscall/nr.def"
#undef SYSCALL
};
/* clang-format on */
const size_t ncalls = sizeof(calls) / sizeof(calls[0]);

const char *call_kinds(int nr)
{
	return kinds[nr] ? kinds[nr] : ANYTHING;
}

const struct call *find_call(int nr)
{
	for (size_t k = 0; k < ncalls; k++)
		if (calls[k].nr == nr)
			return &calls[k];
	return NULL;
}
