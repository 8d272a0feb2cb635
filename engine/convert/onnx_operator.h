/* onnx_operator.h - what an operator of ONNX is to the importer, and what all of them ask: their
 * inputs, attributes and outputs, refusals by name. Flow: onnx_import -> [onnx_operator] -> draft.
 * To add one: a row in the table of the file that it belongs to, and a case in test_onnx.c. */
#ifndef ONNX_OPERATOR_H
#define ONNX_OPERATOR_H
#include "draft.h"
#include "onnx_file.h"
#include "view.h"

/* What a name stands for. */
typedef struct onnx_slot {
  const char *name;
  bool known;               /* its node has been read */
  const constant *constant; /* NULL: a plane */
  int node;                 /* of the draft, or DRAFT_PICTURE */
  view at;                  /* how the tensor lies over the node's plane */
} onnx_slot;

typedef struct onnx_import {
  const onnx_file *file;
  draft *d;
  cam_error *error;
  int n_slots;
  onnx_slot *slots;      /* [n_slots] by name */
  uint64_t work;         /* numbers of constants that nodes have read */
  const onnx_node *node; /* the present one */
  int n_in;
  const onnx_slot **in; /* [n_in] NULL: not given */
} onnx_import;

/* One operator of a table. Sets the node's outputs by onnx_set_*. */
typedef struct onnx_operator {
  const char *name;
  int least, most;        /* inputs */
  const char *attributes; /* those it may have, a blank before and behind each */
  cam_code (*run)(onnx_import *im);
} onnx_operator;

/* Tables, each in the file of its name; a row without a name ends them. */
extern const onnx_operator onnx_move_operators[];   /* on planes and constants: numbers only move */
extern const onnx_operator onnx_part_operators[];   /* both, too: parts, and parts joined */
extern const onnx_operator onnx_fold_operators[];   /* on constants alone */
extern const onnx_operator onnx_kernel_operators[]; /* on planes: convolution, pooling, padding */
extern const onnx_operator onnx_product_operators[]; /* matrices times channels */
extern const onnx_operator onnx_norm_operators[];    /* batch norms, layer norms */
extern const onnx_operator onnx_element_operators[]; /* cell by cell, channel by channel */

/* "node NAME (OP): ..." as CAM_E_WEIGHTS. */
cam_code onnx_refuse(onnx_import *im, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
cam_code onnx_no_memory(onnx_import *im);

/* Output i of the present node. */
cam_code onnx_set_constant(onnx_import *im, int i, const constant *value);
cam_code onnx_set_plane(onnx_import *im, int i, int node, const view *at);

/* What output i has become. */
cam_code onnx_output(onnx_import *im, int i, onnx_slot *out);

/* Attributes of the present node; fallback where absent. */
int64_t onnx_whole(const onnx_import *im, const char *attribute, int64_t fallback);
double onnx_real(const onnx_import *im, const char *attribute, double fallback);
const char *onnx_text(const onnx_import *im, const char *attribute, const char *fallback);
/* Whole numbers from an input (where it is given) or else an attribute: at most `most`; *n is -1
 * where neither is there. Refused if the input is no constant. */
cam_code onnx_wholes(onnx_import *im, int input, const char *attribute, int most, int64_t *out,
                     int *n);
/* A constant input; *out NULL where it is not given. Refused if it is a plane or without numbers.
 */
cam_code onnx_constant(onnx_import *im, int input, const constant **out);
/* An input that must be a plane. */
cam_code onnx_plane(onnx_import *im, int input, onnx_slot *out);
/* An axis from -rank to rank - 1 -> 0 to rank - 1. */
cam_code onnx_axis(onnx_import *im, int64_t axis, int rank, int *out);

/* Rank and shape of an input, whatever it is. */
int onnx_rank(const onnx_slot *slot);
const int64_t *onnx_shape(const onnx_slot *slot);

/* Channels that a transpose between two reshapes has shuffled become a plane of their own order. */
cam_code onnx_settle(onnx_import *im, onnx_slot *slot);

/* ---- planes ---- */

/* A node of the present one's name on one plane. Its index; -1: no memory. */
int onnx_add(onnx_import *im, draft_op op, int input);
/* The mean of a plane's cells: a node, unless it is a vector already. */
int onnx_mean(onnx_import *im, int input);
/* The only cell of a plane, which has others at other sizes of the picture: its mean. */
int onnx_only_cell(onnx_import *im, int input);
/* Input i as a plane whose rows, columns and channels are where Conv and the poolings have them:
 * [1,C,H,W]. */
cam_code onnx_plane_in(onnx_import *im, int i, onnx_slot *out);
/* Output 0: a node as [1,C,H,W]. */
cam_code onnx_plane_out(onnx_import *im, int node);
/* A constant input of n real numbers, as double; *out NULL: not given. */
cam_code onnx_reals(onnx_import *im, int input, int64_t n, double **out);

/* ---- constants ---- */

/* The numbers of `from` at first + sum of index[s] * stride[s], in a shape of its own. NULL: no
 * memory. */
constant *onnx_strided(onnx_import *im, const constant *from, int rank, const int64_t *shape,
                       const int64_t *stride, int64_t first);
void onnx_strides(const constant *c, int64_t *stride);
/* Output 0: a value in another shape. */
cam_code onnx_reshape(onnx_import *im, const onnx_slot *in, int rank, const int64_t *shape);
/* Output 0: input 0. */
cam_code onnx_same(onnx_import *im);

/* The slot of a name; NULL: there is none. */
onnx_slot *onnx_find_slot(const onnx_import *im, const char *name);

#endif
