"""Names of the WIDER FACE format shared by the readers, the evaluation and the browser."""

#: Columns 5 to 10 of a face line. blur: 0 clear, 1 normal, 2 heavy; expression: 0 typical, 1 exaggerated;
#: illumination: 0 normal, 1 extreme; invalid: 1 = not to be used; occlusion: 0 none, 1 partial, 2 heavy;
#: pose: 0 typical, 1 atypical.
WIDER_FACE_ATTRIBUTES = ('blur', 'expression', 'illumination', 'invalid', 'occlusion', 'pose')
