/* view.h - how a tensor of many sides lies over a plane [height,width,channels]: exporters
 * transpose, reshape, flatten and split, our planes never move. Each side of the tensor is a row of
 * atoms, the most significant first; an atom runs over one axis of the plane, or over a part of it.
 *   [1,C,H,W]               side 1: channels, side 2: rows, side 3: columns
 *   [1,H,W,C]               side 1: rows, side 2: columns, side 3: channels
 *   [1,C*H*W], flattened    side 1: channels, rows, columns
 *   [1,G,C/G,H,W]           side 1: G channels, C/G apart; side 2: C/G channels, 1 apart
 * so a transpose only renames sides, and a reshape cuts the row of atoms elsewhere. Any thread. */
#ifndef VIEW_H
#define VIEW_H
#include <stdbool.h>
#include <stdint.h>

enum { VIEW_MAX_RANK = 8, VIEW_MAX_ATOMS = 12 };
typedef enum view_axis { VIEW_Y, VIEW_X, VIEW_C, VIEW_AXES } view_axis;

typedef struct view_atom {
  int side; /* of the tensor */
  view_axis axis;
  int64_t size, step; /* values it takes; how far apart they are along the axis */
} view_atom;

typedef struct view {
  int rank;
  int64_t shape[VIEW_MAX_RANK];
  int n_atoms;                     /* those of size 1 are left out */
  view_atom atoms[VIEW_MAX_ATOMS]; /* by side, then the most significant first */
} view;

/* Of a whole plane: [1,C,H,W], or [1,H,W,C] where `last`. */
view view_of_plane(int64_t height, int64_t width, int64_t channels, bool last);
bool view_transpose(view *v, const int64_t *permutation); /* false: it is no permutation */
/* False where the new sides cut an axis at no whole place, or the sizes differ. */
bool view_reshape(view *v, int rank, const int64_t *shape);
/* The one side that holds the axis whole (of `size` values) and in order, and nothing else; -1 if
 * there is none. An axis of one value is held by none. */
int view_side_of(const view *v, view_axis axis, int64_t size);
/* True if it is [1,C,H,W] of that plane. */
bool view_is_plane(const view *v, int64_t height, int64_t width, int64_t channels);
/* True if no atom runs over rows or columns. */
bool view_is_vector(const view *v);
/* The same tensor when its plane has `channels` channels, all of them along `side`. */
bool view_set_channels(view *v, int side, int64_t channels);
/* The same tensor when its plane, of more than one row and column, has so many of them. */
void view_set_sides(view *v, int64_t height, int64_t width);
/* What of the tensor's side s a channel is at: places[rank]. */
void view_place(const view *v, int64_t channel, int64_t *places);
/* True if channels lie alike in both, sides counted from the last; and rows and columns, too,
 * unless b has one cell. */
bool view_alike(const view *a, const view *b);

#endif
