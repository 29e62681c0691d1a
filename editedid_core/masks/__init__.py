"""What covers a face: glasses and beards, found in the face's frontal picture."""
